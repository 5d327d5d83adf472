#!/usr/bin/env python3
"""How long a start takes behind N waiting messages after a SIGKILL under load, and what of it is reading the checkpoint and what
replaying the log.

The longest replay is one with as much log as makes a checkpoint due; so the server is killed when half of that has been written
since the last one, and, for the worst case, shortly before the next.
"""

import argparse
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

from servers import ROOT, Ferry, load_command, machine_facts, note, print_facts, run_load, work_folder, write_results

GOAL_S = 3
FIELDS = ("checkpoint_ms", "replay_ms", "replayed_bytes", "checkpoint_bytes")
SHARES = {"half way to the next checkpoint": 0.5, "shortly before it": 0.9}


def forget_pages():
    """False: only root may."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def log_position(server):
    """Checkpoints so far, log bytes written, bytes of the newest checkpoint."""
    metrics, _ = server.metrics()
    return (int(float(metrics["ferry_store_checkpoints_total"])), float(metrics["ferry_store_written_bytes_total"]),
            max(path.stat().st_size for path in server.data.glob("checkpoint-*")))


def kill_at(server, queue, share, body):
    """Writes on until that share of the way to the next checkpoint is behind the last one; then ends the server under load."""
    before, _, _ = log_position(server)
    loading = subprocess.Popen(load_command("windows", queue, rounds=1, milliseconds=120_000, connections=16, batch=10, body=body),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline, begun = time.monotonic() + 110, None
        while time.monotonic() < deadline:
            checkpoints, written, size = log_position(server)
            if begun is None and checkpoints > before:
                begun = written
            if begun is not None and written - begun >= share * max(2 * size, 64 << 20):
                break
            time.sleep(0.02)
        else:
            sys.exit("error: no checkpoint was written in 110 s of load")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    finally:
        loading.kill()
        loading.wait()


def start(folder, options):
    begun = time.monotonic()
    server = Ferry(folder, [*options, "--log-format", "text"])
    seconds = time.monotonic() - begun
    ready = [line for line in server.log.read_text(errors="replace").splitlines() if re.search(r"\bready\b", line)][-1]
    found = dict(re.findall(r"(\w+)=(\d+)", ready))
    return server, {"seconds": seconds, **{name: int(found[name]) for name in FIELDS}, "messages": int(found["messages"])}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench startup", description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, help="messages that wait [5,000,000; with --quick 200,000]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--body", type=int, default=1024, help="bytes of each")
    parser.add_argument("--starts", type=int, default=3, help="after each kill, with the system's cache warm and cold")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    depth = args.depth or (200_000 if args.quick else 5_000_000)
    if min(depth, args.body, args.starts) < 1:
        parser.error("nothing can be less than one")
    with work_folder(args.data, depth * (args.body + 1500) + (4 << 30)) as folder:
        server = Ferry(folder, args.serve_option)
        try:
            facts = machine_facts(folder, server.sync_method())
            facts["load"] = f"{depth:,} messages of {args.body:,} bytes; SIGKILL under cycles in batches of ten"
            print_facts(facts)
            queue = server.create_queue("waiting")
            filled = run_load("fill", queue, messages=depth, body=args.body)
            note(f"filled {depth:,} in {filled['seconds']:.1f} s")
            results = {}
            print(f"\n{'start after a SIGKILL':52}{'ready, s':>10}{'checkpoint':>12}{'replay':>10}{'the rest':>10}{'read':>10}{'replayed':>10}")
            for when, share in SHARES.items():
                kill_at(server, server.create_queue("load"), share, args.body)
                for cold in (False, True):
                    runs = []
                    for _ in range(args.starts):
                        if cold and not forget_pages():
                            note("cold starts are left out: only root may empty the system's cache")
                            break
                        server, figures = start(folder, args.serve_option)
                        runs.append(figures)
                        server.process.send_signal(signal.SIGKILL)
                        server.process.wait()
                    if not runs:
                        continue
                    what = f"{when}, {'cold' if cold else 'warm'} cache"
                    median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
                    results[what] = {"median": median, "runs": runs}
                    rest = median["seconds"] - (median["checkpoint_ms"] + median["replay_ms"]) / 1000
                    print(f"{what:52}{median['seconds']:>10.2f}{median['checkpoint_ms'] / 1000:>10.2f} s{median['replay_ms'] / 1000:>8.2f} s{rest:>8.2f} s"
                          f"{median['checkpoint_bytes'] / 1e6:>7.0f} MB{median['replayed_bytes'] / 1e6:>7.0f} MB"
                          f"{'  above the goal' if median['seconds'] > GOAL_S and depth == 5_000_000 else ''}", flush=True)
                server, _ = start(folder, args.serve_option)
            print(f"goal: {GOAL_S} s with 5,000,000 messages of 1,024 bytes on two cores")
            write_results(args.data, "startup", facts, results)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
