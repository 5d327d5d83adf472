#!/usr/bin/env python3
"""What fair queues bring: one tenant with a great backlog, ten quiet ones; how long the messages of the quiet ones wait, with
MessageGroupId and without. And what a receive costs with few and with many tenants.
"""

import argparse
import pathlib
import statistics

from servers import ROOT, Ferry, machine_facts, note, print_facts, run_load, work_folder, write_results

BODY_BYTES = 100
TENANTS = (10, 1_000, 100_000)


def dwell(server, tagged, args):
    queue = server.create_queue("tagged" if tagged else "untagged")
    groups = {"layout": "rounds", "groups": 1} if tagged else {}
    run_load("fill", queue, messages=args.backlog, body=BODY_BYTES, **groups)
    rate = args.consumers * 1000 / args.hold_ms
    figures = run_load("fair", queue, connections=args.consumers, tenants=args.quiet, hold_ms=args.hold_ms, every_ms=args.every_ms,
                       seconds=args.seconds, tagged=tagged, at_most_s=int(args.backlog / rate * 5 + 60))
    server.call("DeleteQueue", QueueUrl=queue)
    return figures


def cost_of_receives(server, messages, rounds):
    """Cycles of receive and delete, the queues in turns: rate, and the server's CPU per request."""
    queues = {}
    for tenants in TENANTS:
        queues[tenants] = server.create_queue(f"tenants-{tenants}")
        run_load("fill", queues[tenants], messages=messages, body=BODY_BYTES, layout="rounds", groups=tenants)
    figures = {tenants: {"rate": [], "cpu_us": [], "receive_us": []} for tenants in TENANTS}
    for _ in range(rounds):
        for tenants, queue in queues.items():
            cpu = server.cpu_seconds()
            window = run_load("windows", queue, rounds=1, milliseconds=1000, connections=32, no_send=True)[0][0]
            figures[tenants]["rate"].append(window["messages"] / window["seconds"])
            figures[tenants]["cpu_us"].append((server.cpu_seconds() - cpu) / window["requests"] * 1e6)
            figures[tenants]["receive_us"].append(window["receive_us"]["p50"])
    return {tenants: {name: statistics.median(values) for name, values in of.items()} for tenants, of in figures.items()}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench fair", description=__doc__.splitlines()[0])
    parser.add_argument("--backlog", type=int, default=100_000, help="messages of the noisy tenant")
    parser.add_argument("--quiet", type=int, default=10, help="quiet tenants")
    parser.add_argument("--every-ms", type=int, default=200, help="between two messages of a quiet tenant")
    parser.add_argument("--seconds", type=int, default=10, help="for which the quiet tenants send")
    parser.add_argument("--consumers", type=int, default=100)
    parser.add_argument("--hold-ms", type=int, default=20, help="for which a consumer holds a message")
    parser.add_argument("--rounds", type=int, default=5, help="of the cost of receives")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    if min(args.backlog, args.quiet, args.every_ms, args.seconds, args.consumers, args.hold_ms, args.rounds) < 1:
        parser.error("nothing can be less than one")
    with work_folder(args.data, 4 << 30) as folder:
        server = Ferry(folder, args.serve_option)
        try:
            facts = machine_facts(folder, server.sync_method())
            facts["load"] = (f"{args.backlog:,} messages of one tenant; {args.quiet} tenants that send one every {args.every_ms} ms for {args.seconds} s; "
                             f"{args.consumers} consumers that hold each message for {args.hold_ms} ms")
            print_facts(facts)
            results = {}
            print(f"\n{'send to receive, quiet tenants':34}{'messages':>10}{'median':>12}{'p99':>12}{'longest':>12}{'all, msgs/s':>14}")
            for tagged in (False, True):
                figures = results["with MessageGroupId" if tagged else "without"] = dwell(server, tagged, args)
                waited = figures["dwell_us"]
                lost = "" if waited["count"] == figures["sent"] else f"  only these of {figures['sent']} came in time"
                print(f"{'with MessageGroupId' if tagged else 'without':34}{waited['count']:>10,}"
                      + "".join(f"{waited[name] / 1000:>9,.1f} ms" for name in ("p50", "p99", "max"))
                      + f"{figures['received'] / figures['seconds']:>14,.0f}{lost}", flush=True)
            note("receives with few and many tenants")
            costs = results["cost"] = cost_of_receives(server, 200_000, args.rounds)
            print(f"\n{'receive and delete, one by one':34}{'msgs/s':>10}{'us CPU/request':>16}{'receive, median us':>20}")
            for tenants, cost in costs.items():
                print(f"{f'{tenants:,} tenants':34}{cost['rate']:>10,.0f}{cost['cpu_us']:>16.1f}{cost['receive_us']:>20,.0f}")
            write_results(args.data, "fair", facts, results)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
