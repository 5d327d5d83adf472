"""What clients saw of one standard queue while its server was killed again and again, and the rules that must hold.

Every call is written down with the time it was invoked and the time its answer was there, and with one of three outcomes:
OK, FAILED (certainly did not happen), UNKNOWN (no whole answer: may have happened, at any time until its connection was
gone). Each message carries a token of its own, sent once. The rules are per message, so that checking a history takes
O(n log n):

  kept       an acknowledged send that nobody deleted is there at the end
  deleted    after an acknowledged delete no receive invoked later returns the message
  real       what is received was sent, with this body and this id, and at most once under one id
  one holder a message is not handed out again before the lease of its last receive has ended
  back       a message whose lease has ended can be received again, even when the server was down in between
  counted    the receive count goes up by one with each delivery; deliveries whose answer was lost count too
"""

import collections
import dataclasses

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"

LEASE_TOLERANCE = 0.15  # clocks of two processes, a machine that was busy


@dataclasses.dataclass
class Send:
    token: str
    invoked: float
    returned: float
    outcome: str
    message_id: str = ""


@dataclasses.dataclass
class Delivery:
    token: str
    message_id: str
    count: int
    intact: bool = True  # body and MD5 are those of the token


@dataclasses.dataclass
class Receive:
    invoked: float
    returned: float
    outcome: str
    lease: float  # seconds that were asked for
    limit: int = 10
    deliveries: tuple = ()


@dataclasses.dataclass
class Delete:
    token: str
    invoked: float
    returned: float
    outcome: str


@dataclasses.dataclass
class Release:
    """ChangeMessageVisibility to 0 by the holder: the lease ends, at the latest when the answer is there."""
    token: str
    invoked: float
    returned: float
    outcome: str


class History:
    def __init__(self):
        self.sends, self.receives, self.deletes, self.releases = [], [], [], []

    def extend(self, other):
        for name in ("sends", "receives", "deletes", "releases"):
            getattr(self, name).extend(getattr(other, name))

    def add(self, event):
        {Send: self.sends, Receive: self.receives, Delete: self.deletes, Release: self.releases}[type(event)].append(event)


def violations(history, drained_from):
    """Sentences, one for each broken rule. The history ends with a drain: receives invoked from `drained_from` on, for as
    long as every lease could last, until the queue was empty. They count as deliveries like all others."""
    found = []
    sends = {}
    for send in history.sends:
        if send.token in sends:
            found.append(f"test error: token {send.token} was sent twice")
        sends[send.token] = send
    deletes = collections.defaultdict(list)
    for delete in history.deletes:
        deletes[delete.token].append(delete)
    releases = collections.defaultdict(list)
    for release in history.releases:
        releases[release.token].append(release)
    deliveries = collections.defaultdict(list)
    for receive in history.receives:
        for delivery in receive.deliveries:
            deliveries[delivery.token].append((receive, delivery))
    lost_receives = sorted((receive.invoked, receive.returned) for receive in history.receives if receive.outcome == UNKNOWN)

    for token, seen in deliveries.items():
        send = sends.get(token)
        if send is None or send.outcome == FAILED:
            found.append(f"real: {token} was received but {'never sent' if send is None else 'its send was refused'}")
            continue
        ids = {delivery.message_id for _, delivery in seen} | ({send.message_id} if send.outcome == OK else set())
        if len(ids) != 1:
            found.append(f"real: {token} has several ids: {sorted(ids)}")
        if not all(delivery.intact for _, delivery in seen):
            found.append(f"real: {token} was received with another body")
        seen.sort(key=lambda pair: pair[1].count)
        found.extend(_check_deletes(token, seen, deletes[token]))
        found.extend(_check_deliveries(token, send, seen, releases[token], lost_receives))

    for token, send in sends.items():
        if send.outcome != OK or any(delete.outcome != FAILED for delete in deletes[token]):
            continue
        if not any(receive.invoked >= drained_from for receive, _ in deliveries[token]):
            found.append(f"kept: {token} was acknowledged and not deleted, and is not there at the end")
    return found


def _check_deletes(token, seen, deletes):
    ended = min((delete.returned for delete in deletes if delete.outcome == OK), default=None)
    if ended is None:
        return
    for receive, _ in seen:
        if receive.invoked > ended:
            yield f"deleted: {token} was received {receive.invoked - ended:.3f} s after its delete was acknowledged"


def _check_deliveries(token, send, seen, releases, lost_receives):
    def lost_between(start, end):
        return sum(1 for invoked, returned in lost_receives if invoked <= end and returned >= start)

    first_receive, first = seen[0]
    if first.count > 1 + lost_between(send.invoked, first_receive.returned):
        yield f"counted: {token} begins with receive count {first.count}"
    for (before, old), (after, new) in zip(seen, seen[1:]):
        steps = new.count - old.count
        if steps < 1:
            yield f"counted: {token} was delivered twice with receive count {new.count}"
            continue
        if after.returned < before.invoked:
            yield f"counted: {token} has receive count {new.count} before {old.count}"
        if steps - 1 > lost_between(before.invoked, after.returned):
            yield f"counted: {token} goes from receive count {old.count} to {new.count}, more than answers were lost"
        released = any(release.outcome != FAILED and release.invoked >= before.invoked and release.invoked <= after.returned
                       for release in releases)
        if not released and after.returned < before.invoked + before.lease - LEASE_TOLERANCE:
            yield (f"one holder: {token} was handed out again after {after.returned - before.returned:.3f} s of a lease of "
                   f"{before.lease} s")


def held_too_long(history, drain_rounds, slack):
    """The rule `back`. `drain_rounds` are the receives of the drain that ran continuously; a message must come at the latest
    `slack` seconds after the last lease that anyone could hold on it has ended."""
    found = []
    start = min(receive.invoked for receive in drain_rounds)
    lost_until = collections.defaultdict(float)
    last_lost = max((receive.returned + receive.lease for receive in history.receives if receive.outcome == UNKNOWN), default=0.0)
    for receive in history.receives:
        if receive.outcome == OK and receive.invoked < start:
            for delivery in receive.deliveries:
                lost_until[delivery.token] = max(lost_until[delivery.token], receive.returned + receive.lease)
    for receive in drain_rounds:
        for delivery in receive.deliveries:
            due = max(start, lost_until[delivery.token], last_lost) + slack
            if receive.returned > due:
                found.append(f"back: {delivery.token} came back {receive.returned - due:.3f} s late")
    return found
