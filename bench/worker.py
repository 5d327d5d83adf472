#!/usr/bin/env python3
"""How many messages a second one worker carries out, beside other workers on the same queue; how soon a handler starts; how much memory waits take.

Every contender gets a queue full of messages on the same `ferry serve`, durable on a real disk, in turns. What is counted is what has left the
queue, by the queue's own counts. Nothing here passes or fails: a machine that is busy gives other rates, the ratios hold better.
"""

import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from contenders import Celery, Endpoint, FerryFunction, FerryWork, GoConsumer, SqsConsumer, entries_of, environment, ferry_work, plain_message
from servers import BUILD, ROOT, Ferry, machine_facts, note, print_facts, work_folder, write_results

WARM_UP = 0.7
HANDLERS = {"none": "a handler that does nothing", "http": "an HTTP call", "program": "/bin/true"}
START_SECONDS = 30
MESSAGES_MAX = 400_000


class Filler:
    """Sends batches of ten over one connection, as fast as Python can."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fill(self, queue, count, message):
        batches = entries_of(message)
        same = None
        for _ in range((count + 9) // 10):
            if same is None or message is not plain_message:
                same = json.dumps({"QueueUrl": queue, "Entries": next(batches)}).encode()
            self.socket.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
                                b"X-Amz-Target: AmazonSQS.SendMessageBatch\r\nContent-Length: %d\r\n\r\n%s" % (len(same), same))
            self._answer()

    def _answer(self):
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end].decode("latin-1").lower()
        missing = int(head.partition("content-length:")[2].split()[0]) - (len(received) - end - 4)
        while missing > 0:
            received += (piece := self._more())
            missing -= len(piece)
        if not head.startswith("http/1.1 200") or b'"Failed":[{' in received:
            sys.exit(f"error: filling a queue: {received[:600]!r}")

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            sys.exit("error: the server closed a connection")
        return piece


def left(server, queue):
    """Messages that were not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = server.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)


def fresh_folder(folder, name):
    inside = folder / name
    inside.mkdir()
    return inside


class Bench:
    def __init__(self, server, folder, seconds):
        self.server, self.folder, self.seconds = server, folder, seconds
        self.filler = Filler(server)
        self.runs = 0

    def drain(self, contender, handler, messages, seconds):
        """Messages per second from WARM_UP after the first was deleted, for `seconds` or until few are left."""
        self.runs += 1
        queue = self.server.create_queue(f"run-{self.runs}", VisibilityTimeout=300)
        self.filler.fill(queue, messages, contender.message)
        folder = fresh_folder(self.folder, f"run-{self.runs}")
        endpoint = Endpoint()
        worker = contender.start(self.server, queue, handler, endpoint, folder)
        try:
            samples = self._samples(worker, queue, messages, seconds)
        finally:
            worker.stop()
            endpoint.stop()
        self.server.call("DeleteQueue", QueueUrl=queue)
        (begun, had, cpu, server_cpu), (ended, has, cpu_then, server_cpu_then) = samples
        handled = max(had - has, 1)
        return {"rate": handled / (ended - begun), "seconds": ended - begun, "messages": handled, "cpu_us": (cpu_then - cpu) / handled * 1e6,
                "server_cpu_us": (server_cpu_then - server_cpu) / handled * 1e6}

    def _samples(self, worker, queue, messages, seconds):
        started, first, begin = time.monotonic(), None, None
        while True:
            now, has = time.monotonic(), left(self.server, queue)
            if not worker.alive():
                sys.exit(f"error: a worker ended by itself; see {worker.log}:\n{worker.log.read_text(errors='replace')[-3000:]}")
            if first is None:
                if has < messages:
                    first = now
                elif now > started + START_SECONDS:
                    sys.exit(f"error: a worker handled nothing in {START_SECONDS} s; see {worker.log}:\n{worker.log.read_text(errors='replace')[-3000:]}")
            elif begin is None and (now > first + WARM_UP or has < messages / 2):
                begin = (now, has, worker.cpu_seconds(), self.server.cpu_seconds())
            elif begin is not None and (now > begin[0] + seconds or has < messages / 20):
                return begin, (now, has, worker.cpu_seconds(), self.server.cpu_seconds())
            time.sleep(0.01)

    def calibrate(self, contender, handler):
        """How many messages a run needs; the run that finds out also warms up caches."""
        messages = 4_000
        while True:
            figures = self.drain(contender, handler, messages, 1.0)
            needed = int(figures["rate"] * (self.seconds + WARM_UP) * 1.3) + 1_000
            if figures["seconds"] > 0.3 or messages >= MESSAGES_MAX:
                return min(max(needed, 2_000), MESSAGES_MAX)
            messages = min(max(needed, messages * 4), MESSAGES_MAX)

    def latency(self, messages):
        self.runs += 1
        queue = self.server.create_queue(f"run-{self.runs}")
        folder = fresh_folder(self.folder, f"run-{self.runs}")
        done = subprocess.run([str(BUILD / "ferry_bench_worker"), "latency", queue, "--ledger", str(folder / "ledger.db"), "--messages", str(messages)],
                              env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"error: {done.stderr}")
        return json.loads(done.stdout)

    def memory(self, slots, delay_ms):
        """The memory of one `ferry work` while an endpoint holds back the answers to as many requests as it has slots."""
        self.runs += 1
        queue = self.server.create_queue(f"run-{self.runs}")
        self.filler.fill(queue, slots, plain_message)
        folder = fresh_folder(self.folder, f"run-{self.runs}")
        endpoint = Endpoint(delay_ms)
        worker = ferry_work(queue, slots, "http", endpoint, folder)
        held, deadline = 0, time.monotonic() + delay_ms / 1000 + 30
        try:
            while left(self.server, queue) > 0:
                if not worker.alive() or time.monotonic() > deadline:
                    sys.exit(f"error: ferry work did not finish; see {worker.log}:\n{worker.log.read_text(errors='replace')[-3000:]}")
                time.sleep(0.05)
            held = json.loads(urllib.request.urlopen(endpoint.url + "/stats", timeout=10).read())["most_held"]
            return {"slots": slots, "most_at_once": held, "most_resident_bytes": worker.status_bytes("VmHWM")}
        finally:
            worker.stop()
            endpoint.stop()


def median(rounds, name):
    return statistics.median(figures[name] for figures in rounds)


def report(rates, contenders, out):
    for handler, by_name in rates.items():
        print(f"\n{HANDLERS[handler]:30}{'msgs/s':>10}{'from':>10}{'to':>10}{'us CPU/msg':>12}{'server':>9}{'ferry is':>10}", file=out)
        own = max((median(rounds, "rate") for name, rounds in by_name.items() if name.startswith("ferry")), default=None)
        for name, rounds in by_name.items():
            all_rates = [figures["rate"] for figures in rounds]
            ratio = "" if own is None or name.startswith("ferry") else f"{own / median(rounds, 'rate'):.1f} ×"
            print(f"{name:30}{median(rounds, 'rate'):>10,.0f}{min(all_rates):>10,.0f}{max(all_rates):>10,.0f}{median(rounds, 'cpu_us'):>12,.0f}"
                  f"{median(rounds, 'server_cpu_us'):>9,.0f}{ratio:>10}", file=out)
    if rates:
        print("\nus CPU/msg: of the worker with its children; server: of ferry serve, which all of them use", file=out)
        for contender in contenders:
            print(f"  {contender.name}: {contender.what}", file=out)


def report_latency(rounds, out):
    send, start = (statistics.median(each[name]["p50"] for each in rounds) for name in ("send", "start"))
    print(f"\nfrom the begin of a send to the start of its C++ handler: median {start:,.0f} us; of the send alone: {send:,.0f} us; {start / send:.1f} ×", file=out)


def report_memory(figures, out):
    print(f"\n{figures['most_at_once']:,} requests of {figures['slots']:,} slots on their way at once to a slow endpoint: ferry work took "
          f"{figures['most_resident_bytes'] / 2**20:,.0f} MiB at most", file=out)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench worker", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--only", choices=[*HANDLERS, "latency", "memory"], action="append", help="this part only (may be repeated)")
    parser.add_argument("--contender", action="append", help="only those whose names begin so (may be repeated)")
    parser.add_argument("--slots", type=int, default=256, help="of ferry's worker, with a C++ function and with HTTP [256]")
    parser.add_argument("--programs", type=int, default=8, help="of ferry's worker, with programs [8]")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds < 0.5:
        parser.error("at least one round of half a second")
    return args


def main():
    args = parse()
    contenders = [FerryFunction(args.slots), FerryWork(args.slots, args.programs), SqsConsumer(1), SqsConsumer(8), Celery("prefork", 2), Celery("threads", 8),
                  GoConsumer(1), GoConsumer(16)]
    if args.contender:
        contenders = [each for each in contenders if any(each.name.startswith(name) for name in args.contender)]
    parts = args.only or [*HANDLERS, "latency", "memory"]
    with work_folder(args.data, 4 << 30) as folder:
        server = Ferry(folder, args.serve_option)
        try:
            facts = machine_facts(folder, server.sync_method())
            facts["load"] = f"bodies of 100 bytes, {args.rounds} rounds of {args.seconds:g} s in turns"
            print_facts(facts)
            bench = Bench(server, folder, args.seconds)
            rates = {handler: {} for handler in HANDLERS if handler in parts}
            if rates:
                for contender in contenders:
                    contender.prepare(server, folder)
            for handler in rates:
                pairs = [(contender, bench.calibrate(contender, handler)) for contender in contenders if handler in contender.handlers]
                for turn in range(args.rounds):
                    for contender, messages in pairs:
                        note(f"{HANDLERS[handler]}, round {turn + 1} of {args.rounds}: {contender.name}, {messages:,} messages")
                        rates[handler].setdefault(contender.name, []).append(bench.drain(contender, handler, messages, args.seconds))
            report(rates, contenders, sys.stdout)
            results = {"rates": rates}
            if "latency" in parts:
                results["latency"] = [bench.latency(300) for _ in range(args.rounds)]
                report_latency(results["latency"], sys.stdout)
            if "memory" in parts:
                results["memory"] = bench.memory(1_000, 10_000)
                report_memory(results["memory"], sys.stdout)
            write_results(args.data, "worker", facts, results)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
