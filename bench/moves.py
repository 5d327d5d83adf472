#!/usr/bin/env python3
"""How fast messages change queues: move tasks, and dead letters at the hands of consumers."""

import argparse
import pathlib
import subprocess
import sys
import time

from servers import ROOT, Ferry, load_command, machine_facts, note, print_facts, run_load, work_folder, write_results

BODY_BYTES = 100
TOUCHABLE = 110_000  # of a standard queue: what can be in flight at once
RATE_ASKED = 500


def policy(server, dead, receives):
    return f'{{"deadLetterTargetArn":"{server.attribute(dead, "QueueArn")}","maxReceiveCount":{receives}}}'


def move_task(server, messages, rate=None, for_seconds=300.0):
    """Messages per second of a task, until it is done or the time is up."""
    dead, work, back = (server.create_queue(f"{name}-{rate or 'any'}") for name in ("dead", "work", "back"))
    server.set_attributes(work, RedrivePolicy=policy(server, dead, 3))
    run_load("fill", dead, messages=messages, body=BODY_BYTES)
    source = server.attribute(dead, "QueueArn")
    members = {"SourceArn": source, "DestinationArn": server.attribute(back, "QueueArn")}
    if rate:
        members["MaxNumberOfMessagesPerSecond"] = rate
    begun = time.monotonic()
    handle = server.call("StartMessageMoveTask", **members)["TaskHandle"]
    while True:
        time.sleep(0.02)
        task = server.call("ListMessageMoveTasks", SourceArn=source)["Results"][0]
        seconds = time.monotonic() - begun
        if task["Status"] != "RUNNING" or seconds > for_seconds:
            break
    moved = task["ApproximateNumberOfMessagesMoved"]
    if task["Status"] == "RUNNING":
        moved = server.call("CancelMessageMoveTask", TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    elif moved != messages:
        sys.exit(f"error: the move task moved {moved:,} of {messages:,}: {task}")
    return {"moved": moved, "seconds": seconds, "rate": moved / seconds}


def dead_letters(server, messages, fifo, for_seconds=120.0):
    """Dead letters per second while consumers do nothing but receive; every message was received once and may be no more."""
    suffix = ".fifo" if fifo else ""
    options = {"fifo": True, "groups": max(messages // 10, 1), "layout": "runs"} if fifo else {}
    dead, queue = server.create_queue(f"dead-letters{suffix}"), server.create_queue(f"received{suffix}")
    run_load("fill", queue, messages=messages, body=BODY_BYTES, **options)
    touched = run_load("touch", queue, messages=messages, connections=8, visibility=0 if fifo else 20)["messages"]
    if not fifo:
        time.sleep(21)
    server.set_attributes(queue, RedrivePolicy=policy(server, dead, 1))
    begun = time.monotonic()
    consumers = subprocess.Popen(load_command("windows", queue, rounds=1, milliseconds=int(for_seconds * 1000), batch=10, connections=8, no_send=True,
                                              no_delete=True, visibility=600), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        moved, before, since = 0, -1, begun
        while moved < touched and time.monotonic() < begun + for_seconds and time.monotonic() < since + 5:
            time.sleep(0.02)
            moved = int(server.attribute(dead, "ApproximateNumberOfMessages"))
            if moved != before:
                before, since = moved, time.monotonic()
    finally:
        consumers.kill()
        consumers.wait()
    seconds = since - begun
    return {"received_once": touched, "moved": moved, "seconds": seconds, "rate": moved / max(seconds, 1e-3)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench moves", description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, help="[1,000,000; with --quick 100,000]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    messages = args.messages or (100_000 if args.quick else 1_000_000)
    if messages < 1000:
        parser.error("at least 1,000 messages")
    with work_folder(args.data, messages * 5000 + (2 << 30)) as folder:
        server = Ferry(folder, args.serve_option)
        try:
            facts = machine_facts(folder, server.sync_method())
            print_facts(facts)
            results = {}
            print(f"\n{'':56}{'messages':>12}{'seconds':>10}{'msgs/s':>12}")
            cases = {
                "move task": lambda: move_task(server, messages),
                f"move task, at most {RATE_ASKED} a second asked for (cancelled)": lambda: move_task(server, messages, RATE_ASKED, 6),
                "dead letters, standard queue": lambda: dead_letters(server, min(messages, TOUCHABLE), False),
                "dead letters, FIFO, a group for every ten messages": lambda: dead_letters(server, messages, True),
            }
            for what, measure in cases.items():
                note(what)
                figures = results[what] = measure()
                missing = figures.get("received_once", figures["moved"]) - figures["moved"]
                print(f"{what:56}{figures['moved']:>12,}{figures['seconds']:>10.2f}{figures['rate']:>12,.0f}"
                      + (f"  {missing:,} stayed" if missing else ""), flush=True)
            write_results(args.data, "moves", facts, results)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
