#!/usr/bin/env python3
"""Whether depth matters: rates with a queue's worth of waiting messages beside the same rates with ten, in turns.

Two servers: the queue of one holds about ten messages, that of the other N. The load alternates between them, so that each
ratio is of two measurements that lie a moment apart. A ratio is the median over these pairs.
"""

import argparse
import pathlib
import shutil
import statistics
import sys
import time

from servers import ROOT, Ferry, machine_facts, note, print_facts, run_load, work_folder, write_results

BODY_BYTES = 100
SCATTERED_BODY_BYTES = 1000  # so that the index cannot hold the disk's neighbours: a read brings 16 KiB
READ_BYTES = 16384  # of the server's reads that follow no other (kReadAloneBytes of the journal)
QUEUE_LIFE = {"VisibilityTimeout": 600}
STEPS = ["send", "receive", "change visibility", "delete"]

CASES = {
    "standard": "standard queue",
    "one group": "FIFO, one group",
    "many groups": "FIFO, a group for every ten messages, sent one group after the other",
    "interleaved": "FIFO, a group for every ten messages, sent in ten rounds of all groups",
    "scattered": "FIFO, the ten messages of each group all over the disk",
}


def pairs_of(empty, deep, step):
    """(rate when empty, rate at depth) of each pair of rounds, messages per second."""
    pairs = []
    for one, other in zip(empty, deep):
        if one[step][0] and other[step][0]:
            pairs.append((one[step][0] / one[step][1], other[step][0] / other[step][1]))
    return pairs


def row_of(what, empty, deep, ratio, goal):
    return {"what": what, "empty": empty, "deep": deep, "ratio": ratio, "goal": goal}


def summary(what, pairs, goal):
    if not pairs:
        sys.exit(f"error: nothing was measured of {what}")
    return row_of(what, statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs),
                  statistics.median(deep / empty for empty, deep in pairs), goal)


class Pair:
    """The two servers, and what their queues hold."""

    def __init__(self, folder, case, depth, serve_options):
        self.case, self.depth = case, depth
        self.fifo = case != "standard"
        self.groups = {"standard": 1, "one group": 1}.get(case, max(depth // 10, 1))
        self.body = SCATTERED_BODY_BYTES if case == "scattered" else BODY_BYTES
        self.empty, self.deep = Ferry(folder, serve_options, "empty"), None
        self.layout = {"scattered": "scattered", "many groups": "runs"}.get(case, "rounds")
        self.deep = Ferry(folder, serve_options, "deep")
        name = "bench.fifo" if self.fifo else "bench"
        self.queues = [server.create_queue(name, **QUEUE_LIFE) for server in (self.empty, self.deep)]

    def options(self, layout):
        if not self.fifo:
            return {"body": self.body}
        return {"body": self.body, "fifo": True, "groups": self.groups, "layout": layout}

    def fill(self):
        run_load("fill", self.queues[0], messages=10, **self.options("rounds"))
        resident = self.deep.resident_bytes()
        filled = run_load("fill", self.queues[1], messages=self.depth, **self.options(self.layout))
        metrics, _ = self.deep.metrics()
        rate = filled["messages"] / filled["seconds"]
        result = {"messages": self.depth, "body": self.body, "seconds": filled["seconds"], "rate": rate,
                  "resident_bytes_per_message": (self.deep.resident_bytes() - resident) / self.depth,
                  "index_bytes_per_message": float(metrics["ferry_index_bytes"]) / self.depth,
                  "disk_bytes_per_message": float(metrics["ferry_store_disk_bytes"]) / self.depth}
        note(f"filled {self.depth:,} in {filled['seconds']:.1f} s ({rate:,.0f}/s)")
        return result

    def settle(self):
        """Waits for the work behind a fill: checkpoints and compaction."""
        deadline, before = time.monotonic() + 30, None
        while time.monotonic() < deadline:
            cpu = sum(self.cpu_seconds())
            if before is not None and cpu - before < 0.03:
                return
            before = cpu
            time.sleep(0.5)

    def cpu_seconds(self):
        return self.empty.cpu_seconds(), self.deep.cpu_seconds()

    def stop(self):
        for server in (self.empty, self.deep):
            if server is not None:
                server.stop()


def measure_steps(pair, rounds, messages, batch, connections, layout, goal=0.9):
    before = pair.cpu_seconds()
    empty, deep = run_load("rounds", *pair.queues, rounds=rounds, messages=messages, batch=batch, connections=connections, **pair.options(layout))
    spent = [now - then for now, then in zip(pair.cpu_seconds(), before)]
    cpu = [seconds / sum(round["delete"][0] for round in side) * 1e6 for seconds, side in zip(spent, (empty, deep))]
    each = "one by one" if batch == 1 else f"in batches of {batch}"
    rows = [summary(f"{step}, {each}", pairs_of(empty, deep, step), goal) for step in STEPS]
    rows.append(row_of("  all four: the server's us of CPU", *cpu, cpu[0] / max(cpu[1], 1e-3), None))
    return rows


def measure_cycles(pair, rounds, milliseconds, batch, connections, layout, goal=0.9):
    empty, deep = run_load("windows", *pair.queues, rounds=rounds, milliseconds=milliseconds, batch=batch, connections=connections,
                           **pair.options(layout))
    pairs = [(one["messages"] / one["seconds"], other["messages"] / other["seconds"]) for one, other in zip(empty, deep)]
    each = "one by one" if batch == 1 else f"in batches of {batch}"
    return summary(f"full cycles, {each}", [pair for pair in pairs if pair[0]], goal)


def best_random_reads(pair, seconds, results):
    """Random reads a second that the disk gives, whatever number of threads it takes."""
    for threads in (1, 2, 4, 8, 16, 32):
        pair.deep.forget_pages()
        read = run_load("reads", pair.deep.data, bytes=READ_BYTES, threads=threads, seconds=seconds)
        results.setdefault(threads, []).append(read["reads"] / read["seconds"])
    return max(statistics.median(rates) for rates in results.values())


def measure_scattered(pair, rounds, messages, seconds):
    """Receives of ten from one group after the other, each message another read; beside what the disk's random reads allow."""
    disk, pairs, reads_per_message, rows = {}, {step: [] for step in STEPS}, [], []
    allowed_ratios = []
    for _ in range(rounds):
        best = best_random_reads(pair, seconds, disk)
        pair.deep.forget_pages()
        read_before = pair.deep.read_bytes()
        empty, deep = run_load("rounds", *pair.queues, rounds=1, messages=messages, batch=10, connections=32, **pair.options("runs"))
        reads = (pair.deep.read_bytes() - read_before) / READ_BYTES / deep[0]["receive"][0]
        reads_per_message.append(reads)
        for step in STEPS:
            pairs[step] += pairs_of(empty, deep, step)
        when_empty, at_depth = pairs["receive"][-1]
        allowed_ratios.append(at_depth / min(when_empty, best / max(reads, 0.01)))
    allowed = min(statistics.median(rate for rate, _ in pairs["receive"]), best / max(statistics.median(reads_per_message), 0.01))
    deep_rate = statistics.median(rate for _, rate in pairs["receive"])
    for step in STEPS:
        if step != "receive":
            rows.append(summary(f"{step}, in batches of 10", pairs[step], 0.9))
    rows.append(summary("receive, in batches of 10, cold", pairs["receive"], None))
    rows.append(row_of("  beside what random reads allow", allowed, deep_rate, statistics.median(allowed_ratios), 0.8))
    facts = {"reads per second by threads": {threads: statistics.median(rates) for threads, rates in disk.items()},
             "reads per message": statistics.median(reads_per_message)}
    return rows, facts


def measure_case(pair, quick):
    if pair.case == "one group":  # ten in flight block the group: one request after the other
        rows = measure_steps(pair, 150 if quick else 1000, 1, 1, 1, "rounds")
        rows += measure_steps(pair, 150 if quick else 1000, 10, 10, 1, "rounds")
        rows.append(measure_cycles(pair, 5 if quick else 10, 200 if quick else 500, 10, 1, "rounds"))
        return rows, {}
    if pair.case == "scattered":
        return measure_scattered(pair, 2 if quick else 5, 4000 if quick else 20000, 0.2 if quick else 1)
    layout = "rounds"  # of what is sent meanwhile: no group has two, or each batch is one group's
    goal = 0.8 if pair.case == "interleaved" else 0.9  # a batch of ten is read in ten places
    rows = measure_steps(pair, 8 if quick else 40, 2000, 1, 32, layout)
    rows += measure_steps(pair, 5 if quick else 20, 10000, 10, 32, "runs", goal)
    rows.append(measure_cycles(pair, 5 if quick else 12, 250 if quick else 500, 1, 32, layout))
    rows.append(measure_cycles(pair, 5 if quick else 12, 250 if quick else 500, 10, 32, "runs", goal))
    return rows, {}


def report(case, fill, rows, facts, before, after):
    print(f"\n{CASES[case]}: {fill['messages']:,} messages of {fill['body']} bytes, filled in {fill['seconds']:.1f} s "
          f"({fill['rate']:,.0f}/s); a message takes {fill['resident_bytes_per_message']:,.0f} bytes resident (caches and all), "
          f"{fill['index_bytes_per_message']:,.0f} of index, {fill['disk_bytes_per_message']:,.0f} on disk")
    print(f"{'messages per second':40}{'ten waiting':>14}{'N waiting':>14}{'ratio':>8}{'goal':>6}")
    for row in rows:
        missed = row["goal"] is not None and row["ratio"] < row["goal"]
        goal = f"{row['goal']:.1f}" if row["goal"] else ""
        digits = 0 if row["empty"] >= 1000 else 1
        print(f"{row['what']:40}{row['empty']:>14,.{digits}f}{row['deep']:>14,.{digits}f}{row['ratio']:>8.2f}{goal:>6}{'  below' if missed else ''}")
    if facts:
        rates = ", ".join(f"{threads}: {rate:,.0f}" for threads, rate in facts["reads per second by threads"].items())
        print(f"random reads of {READ_BYTES // 1024} KiB a second, by threads: {rates}; {facts['reads per message']:.2f} such reads for a message")
    print(f"checkpoints while measuring: {after - before:.0f} at depth", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench depth", description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, help="messages that wait [5,000,000; with --quick 200,000]")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--only", choices=CASES, action="append", help="this case only (may be repeated)")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    depth = args.depth or (200_000 if args.quick else 5_000_000)
    if depth < 1000:
        parser.error("a depth of at least 1,000")
    results, facts = {}, {}
    with work_folder(args.data, depth * 3000 + (2 << 30)) as folder:
        for case in args.only or CASES:
            note(f"{case}: filling")
            pair = Pair(folder, case, depth, args.serve_option)
            try:
                if not facts:
                    facts = machine_facts(folder, pair.deep.sync_method())
                    print_facts(facts)
                fill = pair.fill()
                pair.settle()
                before = pair.deep.gauge("ferry_store_checkpoints_total")
                rows, extra = measure_case(pair, args.quick)
                after = pair.deep.gauge("ferry_store_checkpoints_total")
                results[case] = {"fill": fill, "rows": rows, **extra}
                report(case, fill, rows, extra, before, after)
            finally:
                pair.stop()
            for server in (pair.empty, pair.deep):
                shutil.rmtree(server.data)
        write_results(args.data, "depth", facts, results)


if __name__ == "__main__":
    main()
