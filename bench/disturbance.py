#!/usr/bin/env python3
"""Whether great changes to one queue delay requests to another: a probe, alone and while N messages are purged, deleted,
expired, or turned into dead letters.

The probe sends, receives and deletes one message at a time, at a constant rate, on a queue of its own. Its latencies before a
change are beside those during it; the longest, and the percentiles that tell a stall from the disk's noise.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

from servers import ROOT, Ferry, load_command, machine_facts, note, print_facts, run_load, work_folder, write_results

BODY_BYTES = 100
RETENTION_LEAST = 60
TOUCHABLE = 110_000  # of a standard queue: what can be in flight at once
GOAL_MS = 20
KINDS = {"standard": "standard", "fifo": "FIFO, N/10 groups", "tenants": "N/10 tenants"}
DEAD_LETTERS = "dead letters"


def part(values, share):
    return values[int(share * (len(values) - 1))]


def window_of(samples, begin, end):
    """Latencies in ms of what was asked or under way between two moments."""
    values = sorted(micros / 1000 for asked, micros in samples if asked < end and asked + micros / 1e6 > begin)
    if not values:
        sys.exit("error: the probe has nothing to tell of a window")
    return {"requests": len(values), "p50": statistics.median(values), "p99": part(values, 0.99), "p999": part(values, 0.999),
            "max": values[-1], "over_goal": sum(value > GOAL_MS for value in values)}


class Bench:
    def __init__(self, folder, depth, window, rate, serve_options):
        self.folder, self.depth, self.window, self.rate = folder, depth, window, rate
        self.server = Ferry(folder, serve_options)
        self.probed = self.server.create_queue("probe")
        self.results = {}

    def fill(self, queue, messages, **options):
        filled = run_load("fill", queue, messages=messages, body=BODY_BYTES, **options)
        note(f"filled {messages:,} in {filled['seconds']:.1f} s")

    def settle(self):
        deadline, before = time.monotonic() + 60, None
        while time.monotonic() < deadline:
            cpu = self.server.cpu_seconds()
            if before is not None and cpu - before < 0.03:
                return
            before = cpu
            time.sleep(0.5)

    def watch(self, seconds):
        """Waits, looking at the index's memory as a monitor would; when it last shrank, from now."""
        begun = time.monotonic()
        shrunk, before = 0.0, self.server.gauge("ferry_index_bytes")
        while time.monotonic() < begun + seconds:
            time.sleep(0.25)
            now = self.server.gauge("ferry_index_bytes")
            if now < before - 100_000:
                shrunk = time.monotonic() - begun
            before = now
        return shrunk

    def observe(self, what, change, load=None):
        """The probe for two windows; `change` happens between them. `load` is a command that runs through both."""
        self.settle()
        log = self.folder / "probe.log"
        # A window before, one during, and what the change itself and starting up may take.
        probe = subprocess.Popen(load_command("probe", self.probed, rate=self.rate, seconds=2 * self.window + 3, log=log, body=BODY_BYTES),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        loading = subprocess.Popen(load, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) if load else None
        try:
            time.sleep(1)  # starting up
            begun = time.monotonic()
            self.watch(self.window)
            changed = time.monotonic()
            change()
            answered = time.monotonic()
            freed = self.watch(self.window)
            ended = time.monotonic()
            if probe.wait(60) != 0 or (loading and loading.wait(60) != 0):
                sys.exit(f"error: a load failed during {what}")
        finally:
            for process in filter(None, (probe, loading)):
                if process.poll() is None:
                    process.kill()
                process.wait()
        samples = [(float(asked), int(micros)) for asked, micros in map(str.split, log.read_text().splitlines())]
        before, during = window_of(samples, begun, changed), window_of(samples, changed, ended)
        self.results[what] = {"before": before, "during": during, "answered_ms": (answered - changed) * 1000, "freed_s": freed}
        print(f"{what:46}{before['p50']:>7.2f}{before['p999']:>8.2f}{before['max']:>8.2f}{during['p50']:>9.2f}{during['p999']:>8.2f}"
              f"{during['max']:>8.2f}{during['max'] - before['max']:>9.2f}{during['over_goal']:>6}{(answered - changed) * 1000:>10.1f}"
              f"{freed:>8.1f}{'  busy' if 3 * before['p50'] > 700 / self.rate else ''}", flush=True)

    def consumer(self, queue):
        return load_command("windows", queue, rounds=1, milliseconds=int((2 * self.window + 2) * 1000), batch=10, connections=2, no_send=True,
                            no_delete=True, visibility=0)


def header():
    print(f"\n{'':46}{'before, ms':>23}{'during, ms':>25}{'longest':>9}{'over':>6}{'answered':>10}{'freed':>8}")
    print(f"{'':46}{'p50':>7}{'p99.9':>8}{'max':>8}{'p50':>9}{'p99.9':>8}{'max':>8}{'+ ms':>9}{GOAL_MS:>3} ms{'ms':>10}{'s':>8}", flush=True)


def big_queue(bench, name, kind):
    """A new queue with all the messages, and what it takes to fill it again."""
    fifo = {"fifo": True, "groups": max(bench.depth // 10, 1), "layout": "rounds"} if kind == "fifo" else {}
    tenants = {"groups": max(bench.depth // 10, 1), "layout": "rounds"} if kind == "tenants" else {}
    queue = bench.server.create_queue(f"{name}.fifo" if fifo else name)
    bench.fill(queue, bench.depth, **fifo, **tenants)
    return queue


def disturb_by_bulk(bench, kind, label):
    queue = big_queue(bench, f"expired-{kind}", kind)
    filled = time.monotonic()
    other = big_queue(bench, f"purged-{kind}", kind)
    bench.observe(f"purge, {label}", lambda: bench.server.call("PurgeQueue", QueueUrl=other))
    bench.server.call("DeleteQueue", QueueUrl=other)
    other = big_queue(bench, f"deleted-{kind}", kind)
    bench.observe(f"deletion, {label}", lambda: bench.server.call("DeleteQueue", QueueUrl=other))
    time.sleep(max(0, filled + RETENTION_LEAST + 1 - time.monotonic()))
    bench.observe(f"all expire at once, {label}", lambda: bench.server.set_attributes(queue, MessageRetentionPeriod=RETENTION_LEAST))
    bench.server.call("DeleteQueue", QueueUrl=queue)


def disturb_by_dead_letters(bench, fifo):
    suffix = ".fifo" if fifo else ""
    messages = bench.depth if fifo else min(bench.depth, TOUCHABLE)
    options = {"fifo": True, "groups": max(messages // 10, 1), "layout": "runs"} if fifo else {}
    dead = bench.server.create_queue(f"dead{suffix}")
    queue = bench.server.create_queue(f"received{suffix}")
    bench.fill(queue, messages, **options)
    touched = run_load("touch", queue, messages=messages, connections=8, visibility=0 if fifo else 20)
    note(f"received {touched['messages']:,} once in {touched['seconds']:.1f} s")
    if not fifo:
        time.sleep(21)
    policy = f'{{"deadLetterTargetArn":"{bench.server.attribute(dead, "QueueArn")}","maxReceiveCount":%d}}'
    kind = f"{'FIFO' if fifo else 'standard'}, {touched['messages']:,} received once"

    def lower():
        bench.server.set_attributes(queue, RedrivePolicy=policy % 1)
    bench.server.set_attributes(queue, RedrivePolicy=policy % 1000)
    bench.observe(f"maxReceiveCount 1, {kind}", lower)
    bench.server.set_attributes(queue, RedrivePolicy=policy % 1000)
    bench.observe(f"the same under consumers, {kind.partition(',')[0]}", lower, bench.consumer(queue))
    moved = int(bench.server.attribute(dead, "ApproximateNumberOfMessages"))
    note(f"{moved:,} of {touched['messages']:,} are dead letters")
    bench.results[f"dead letters, {kind}"] = moved
    for name in (queue, dead):
        bench.server.call("DeleteQueue", QueueUrl=name)
    bench.settle()


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench disturbance", description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, help="messages in the queue that changes [5,000,000; with --quick 200,000]")
    parser.add_argument("--quick", action="store_true", help="standard queues, short windows")
    parser.add_argument("--only", choices=[*KINDS, DEAD_LETTERS], action="append", help="this part only (may be repeated)")
    parser.add_argument("--window", type=float, help="seconds before and during each change [20; with --quick 4]")
    parser.add_argument("--rate", type=int, default=200, help="cycles of the probe per second")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    depth = args.depth or (200_000 if args.quick else 5_000_000)
    if depth < 1000:
        parser.error("a depth of at least 1,000")
    chosen = args.only or (["standard", DEAD_LETTERS] if args.quick else [*KINDS, DEAD_LETTERS])
    with work_folder(args.data, depth * 2500 + (2 << 30)) as folder:
        bench = Bench(folder, depth, args.window or (4 if args.quick else 20), args.rate, args.serve_option)
        try:
            facts = machine_facts(folder, bench.server.sync_method())
            facts["load"] = f"{depth:,} messages; a probe of {args.rate} cycles/s; windows of {bench.window:g} s"
            print_facts(facts)
            header()
            bench.observe("nothing (control)", lambda: None)
            for kind in chosen:
                if kind in KINDS:
                    disturb_by_bulk(bench, kind, KINDS[kind])
                else:
                    disturb_by_dead_letters(bench, False)
                    disturb_by_dead_letters(bench, True)
            bench.observe("nothing (control)", lambda: None)
            print(f"goal: the longest at most {GOAL_MS} ms more than before. \"over\" counts requests that took longer than that during the change;\n"
                  "\"answered\": the change itself; \"freed\": until its memory no longer shrank; \"busy\": the machine had no room for the probe before")
            write_results(args.data, "disturbance", facts, bench.results)
        finally:
            bench.server.stop()


if __name__ == "__main__":
    main()
