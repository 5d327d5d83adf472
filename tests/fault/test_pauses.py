"""The server is stopped by SIGSTOP and goes on later: leases run out meanwhile, answers come late, and no rule may break."""

import random
import time

from campaign import OPTIONS, Campaign, check, new_seed, times, told
from ferry_server import FerryServer
from torture_report import record

PAUSES = times(10, 300, "FERRY_PAUSES")
ROUND = 50


def test_pauses_under_load(tmp_path):
    seed = new_seed()
    chance = random.Random(seed)
    server = FerryServer(tmp_path, *OPTIONS)
    left = PAUSES
    try:
        while left > 0:
            pauses = min(ROUND, left)
            campaign = Campaign(server, chance.getrandbits(32))
            campaign.up()
            for number in range(pauses):
                time.sleep(chance.uniform(0.2, 0.8))
                campaign.pause(5.0 if number == 0 else chance.choice((0.1, 0.5, 1.1, 2.2, chance.uniform(0.1, 5))))
                if number % 3 == 2:
                    time.sleep(chance.uniform(0.1, 0.5))
                    campaign.kill()
                    campaign.up()
            found, facts = campaign.finish()
            left -= pauses
            print(told(facts))
            record("process paused", "SIGSTOP for 0.1 to 5 s under load, then every invariant", pauses, bool(found), seed, facts=facts)
            check(seed, found, facts)
            assert facts["acknowledged"] > 20 * pauses and facts["deleted"] > 10 * pauses, told(facts)
    finally:
        server.close()
