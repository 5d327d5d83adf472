"""What tests tell scripts/torture: a line of JSON each, in the file that FERRY_TORTURE_REPORT names."""

import json
import os


def record(fault, done, n, failures, seed="", **more):
    """`fault` is a row of the table, `done` says what was done `n` times; numbers of the same row are added up."""
    if path := os.environ.get("FERRY_TORTURE_REPORT"):
        with open(path, "a") as file:
            file.write(json.dumps({"fault": fault, "done": done, "n": n, "failures": failures, "seed": str(seed), **more}) + "\n")
