"""Workers and server killed at random while requests are sent and carried out: in the end each effect is there, exactly once where its handler uses
the key, and the ledger and the queue agree."""

import time

from campaign import long_run, new_seed, times, told
from ferry_server import binary
from torture_report import record
from worker_campaign import World, violations

MESSAGES = times(1_000, 100_000, "FERRY_CAMPAIGN_MESSAGES")
KILLS = 14


def test_every_effect_is_there_once_whoever_is_killed(tmp_path):
    seed = new_seed()
    print(f"{MESSAGES:,} requests (FERRY_CAMPAIGN_MESSAGES), {binary()}")
    began = time.monotonic()
    world = World(tmp_path, seed, MESSAGES)
    chance = world.chance
    try:
        world.begin()
        kills = 0
        while not world.all_sent() or (not long_run() and kills < KILLS):
            if long_run():
                world.wait(chance.uniform(0.3, 2.0))
            else:  # by progress, so that kills are spread over the run on any machine
                world.wait(3.0, world.count_runs() + chance.randint(20, 2 * MESSAGES // KILLS - 20))
            world.kill_somebody()
            kills += 1
            if long_run() and kills % 20 == 0:
                print(f"{time.monotonic() - began:.0f} s: {kills} kills, {len(world.sent):,} of {MESSAGES:,} sent, {world.runs_begun:,} begun", flush=True)
        world.drain(120)
        found, facts = violations(world)
        facts["longest seconds"] = round(time.monotonic() - began)
        print(told(facts), flush=True)
        record("worker or server killed", "SIGKILL among two workers and the server; then every effect, ledger, queue", kills, bool(found), seed, facts=facts)
        assert not found, f"FERRY_SEED={seed}; {told(facts)}; {len(found)} violations, the first:\n" + "\n".join(found[:12])
        # A run that did not hit anything proves nothing.
        assert facts["workers killed"] >= 4 and facts["servers killed"] >= 1 and facts["run again"] >= 1, told(facts)
        assert facts["sent twice"] >= MESSAGES // 20 and facts["failed once"] >= MESSAGES // 200, told(facts)
        assert world.server.stop() == 0, world.server.words()
        world.server.start()
        assert world.counts() == (0, 0, 0)
    finally:
        world.close()
