"""Kills under load with few descriptors, and with little memory."""

import random
import shutil
import socket
import time

from campaign import OPTIONS, Campaign, check, new_seed, times, told
from ferry_server import FerryServer
from load import PLAIN, Client, Wire
from test_size import MemoryLimit, real_folder
from torture_report import record

CYCLES = times(6, 200, "FERRY_SCARCE_CYCLES")
ROUND = 50
HEAVY = 100


def crowd(server, count):
    """Connections that do nothing. The server need not accept them."""
    idle = []
    for _ in range(count):
        connection = socket.socket()
        connection.settimeout(0.2)
        idle.append(connection)
        try:
            connection.connect((server.host, server.port))
        except OSError:
            break
    return idle


def test_kills_with_64_descriptors(tmp_path):
    """Idle connections take what is left of them, in each life of the server, and go again."""
    seed = new_seed()
    chance = random.Random(seed)
    server = FerryServer(tmp_path, *OPTIONS, prefix=["prlimit", "--nofile=64:64"])
    left = CYCLES
    try:
        while left > 0:
            cycles = min(ROUND, left)
            campaign = Campaign(server, chance.getrandbits(32))
            campaign.up()
            for _ in range(cycles):
                time.sleep(chance.uniform(0.2, 0.6))
                idle = crowd(server, 80)
                time.sleep(chance.uniform(0.2, 0.6))
                for connection in idle:
                    connection.close()
                time.sleep(chance.uniform(0.0, 0.4))
                campaign.kill()
                campaign.up()
            found, facts = campaign.finish()
            left -= cycles
            print(told(facts))
            record("few descriptors", "64 of them, idle connections, SIGKILL under load, then every invariant", cycles, bool(found), seed, facts=facts)
            check(seed, found, facts)
            assert facts["acknowledged"] > 20 * cycles and facts["deleted"] > 10 * cycles, told(facts)
    finally:
        server.close()


class HeavySender(Client):
    """Sends messages of 1,000,000 bytes, only when it is told to."""

    def fill(self, url, count):
        self.sqs, self.broken = Wire(url, timeout=40), False
        for _ in range(count):
            self.send(PLAIN, [(f"heavy-{self.chance.getrandbits(64):016x}-1000000", 0, "")])
        assert not self.broken, "the server went away"
        self.sqs.close()


def test_kills_with_256_mebibytes(tmp_path):
    """A hundred megabytes are sent in each second life, on top of the load."""
    seed = new_seed()
    chance = random.Random(seed)
    limit, folder = MemoryLimit(), real_folder("little-memory")
    server = FerryServer(folder, *OPTIONS, "--cache-mib", 32, prefix=limit.prefix)
    left = CYCLES
    try:
        while left > 0:
            cycles = min(ROUND, left)
            campaign = Campaign(server, chance.getrandbits(32))
            heavy = HeavySender(campaign.load, 99)
            campaign.up()
            for number in range(cycles):
                if number % 2 == 0:
                    heavy.fill(server.url, HEAVY)
                time.sleep(chance.uniform(0.3, 1.2))
                print(limit.check(server.pid))
                campaign.kill()
                campaign.up()
            campaign.load.extra_histories.append(heavy.history)
            found, facts = campaign.finish()
            left -= cycles
            print(told(facts))
            record("little memory", "256 MiB, SIGKILL under load, then every invariant", cycles, bool(found), seed, facts=facts)
            check(seed, found, facts)
            assert facts["acknowledged"] > 20 * cycles and facts["deleted"] > 10 * cycles, told(facts)
    finally:
        server.close()
        limit.close()
        shutil.rmtree(folder, ignore_errors=True)
