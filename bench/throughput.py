#!/usr/bin/env python3
"""Ferry and nginx under the same requests, in turns; every answer of ferry durable on a real disk.

Prints medians over the rounds, the server's own CPU per request, syncs, and ratios; all figures go to a JSON file too.
Nothing here passes or fails: a machine that is busy gives other rates, the ratios hold better.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import urllib.request

from servers import BUILD, ROOT, Ferry, Process, free_port, machine_facts, note, print_facts, text_of, work_folder, write_results

BODY_BYTES = 1024
NGINX_ANSWER_BYTES = 400


class Nginx(Process):
    def __init__(self, folder):
        self.port = free_port()
        answer = "x" * NGINX_ANSWER_BYTES
        conf = folder / "nginx.conf"
        conf.write_text(
            f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; keepalive_requests 100000000; client_max_body_size 16m; client_body_buffer_size 64k;\n"
            f" client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;\n"
            f" uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; default_type application/x-amz-json-1.0;\n"
            f' server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 "{answer}"; }} }} }}\n')
        super().__init__(["nginx", "-p", str(folder), "-c", str(conf), "-g", "user root;" if os.getuid() == 0 else ""], folder / "nginx.log")

        def answers():
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=1).status == 200
            except OSError:
                return False
        self.wait_for(answers, "nginx")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.pids += [int(pid) for pid in children]


def run_wrk(port, script, seconds, connections, queue):
    """Requests per second, and how many there were; errors end the benchmark."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(ROOT / "bench/wrk" / script),
                           f"http://127.0.0.1:{port}/"], env={**os.environ, "QUEUE": queue}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    requests = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode != 0 or not requests or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"error: wrk against port {port}:\n{done.stdout}{done.stderr}")
    latency = {part: value for part, value in re.findall(r"^\s+(50|99)%\s+(\S+)$", done.stdout, re.MULTILINE)}
    return {"rate": float(rate.group(1)), "requests": int(requests.group(1)), "p50": latency.get("50"), "p99": latency.get("99")}


def run_cycle(port, batch, seconds, connections, queue, blind):
    command = [str(BUILD / "ferry_load"), "127.0.0.1", str(port), queue, "--batch", str(batch), "--connections", str(connections),
               "--seconds", str(seconds), "--body", str(BODY_BYTES)] + (["--blind"] if blind else [])
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"error: {done.stderr}")
    figures = json.loads(done.stdout)
    figures["rate"] = figures["messages"] / figures["seconds"]
    return figures


CASES = {
    # name: (what a request is, messages in a request, script or None for the cycle)
    "send": ("SendMessage", 1, "send.lua"),
    "send-batch": ("SendMessageBatch of 10", 10, "send_batch.lua"),
    "cycle": ("send, receive, delete", 1, None),
    "cycle-batch": ("the same in batches of 10", 10, None),
}


def measure(server, case, seconds, connections, queue, blind):
    _, batch, script = CASES[case]
    cpu = server.cpu_seconds()
    before = server.metrics()[0] if not blind else {}
    if script:
        figures = run_wrk(server.port, script, seconds, connections, queue)
        figures["messages_per_second"] = figures["rate"] * batch
        requests = figures["requests"]
    else:
        figures = run_cycle(server.port, batch, seconds, connections, queue, blind)
        figures["messages_per_second"] = figures["rate"]
        # the warm-up is in the CPU time but not in the count
        requests = figures["requests"] * (figures["seconds"] + 0.3) / figures["seconds"]
        figures["requests_per_second"] = figures["requests"] / figures["seconds"]
    figures["cpu_us"] = (server.cpu_seconds() - cpu) / max(requests, 1) * 1e6
    if not blind:
        after = server.metrics()[0]
        for name in ("ferry_store_syncs_total", "ferry_store_groups_total"):
            figures[name] = float(after.get(name, 0)) - float(before.get(name, 0))
    return figures


def median(rounds, name):
    return statistics.median(figures[name] for figures in rounds)


def report(results, out):
    print(f"\n{'':26}{'ferry':>34}{'nginx':>22}{'ratio':>8}", file=out)
    print(f"{'requests':26}{'msgs/s':>10}{'us CPU/req':>12}{'syncs/s':>12}{'req/s':>12}{'us CPU':>10}{'':>8}", file=out)
    for case, (what, batch, script) in CASES.items():
        if case not in results:
            continue
        own, other = results[case]["ferry"], results[case]["nginx"]
        seconds = results[case]["seconds"]
        # sends: messages (or requests) of ferry to requests of nginx. Cycles: requests to requests.
        nginx_rate = median(other, "rate") if script else median(other, "requests_per_second")
        ratio = median(own, "messages_per_second") / nginx_rate if script else median(own, "requests_per_second") / nginx_rate
        results[case]["ratio"] = ratio
        print(f"{what:26}{median(own, 'messages_per_second'):>10,.0f}{median(own, 'cpu_us'):>12.1f}"
              f"{median(own, 'ferry_store_syncs_total') / seconds:>12,.0f}{nginx_rate:>12,.0f}{median(other, 'cpu_us'):>10.1f}{ratio:>8.2f}", file=out)
    print("\nratio: messages of ferry to requests of nginx for sends, requests to requests for cycles", file=out)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/bench", help="a folder on a real disk")
    parser.add_argument("--only", choices=CASES, action="append", help="this case only (may be repeated)")
    parser.add_argument("--serve-option", action="append", default=[], help="passed on to ferry serve")
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds < 1:
        parser.error("at least one round of one second")
    results = {}
    with work_folder(args.data) as folder:
        nginx = ferry = None
        try:
            nginx = Nginx(folder)
            ferry = Ferry(folder, args.serve_option)
            facts = machine_facts(folder, ferry.sync_method())
            facts |= {"nginx": text_of("nginx", "-v"), "wrk": text_of("wrk", "-v").splitlines()[0].strip(),
                      "load": f"{args.connections} connections, bodies of {BODY_BYTES} bytes, {args.rounds} rounds of {args.seconds} s in turns"}
            print_facts(facts)
            for case in args.only or CASES:
                results[case] = {"ferry": [], "nginx": [], "seconds": args.seconds}
                for turn in range(args.rounds):
                    note(f"{case}, round {turn + 1} of {args.rounds}")
                    results[case]["nginx"].append(measure(nginx, case, args.seconds, args.connections, "bench", True))
                    queue = ferry.create_queue("bench")
                    results[case]["ferry"].append(measure(ferry, case, args.seconds, args.connections, queue, False))
                    ferry.call("PurgeQueue", QueueUrl=queue)
            report(results, sys.stdout)
            write_results(args.data, "result", facts, results)
        finally:
            for server in (ferry, nginx):
                if server is not None:
                    server.stop()


if __name__ == "__main__":
    main()
