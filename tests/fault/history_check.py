"""The rules that a history must keep. Each is per message or per group, so that checking takes O(n log n).

  invariant                                            rule        seen from outside
  I1   an acknowledged send is there until deleted     kept        yes; so is a message that was received once
  I2   an acknowledged delete is for ever              deleted     yes, for receives invoked later
  I3   bytes, attributes, MD5s, ids; only what was     real        yes; several tenants: tests/conformance
       sent, only in its queues
  I4   one holder                                      one holder  yes, within 0.1 s
  I5   order in a group; nothing passes one that is    order       yes
       in flight or waits; redelivery from the head
  I6   one message for one deduplication id, and all   once        yes; the length of the window: tests/simulation
       sends tell its id and number
  I7   receive counts; dead letters exactly when due;  counted,    yes; deliveries whose answer was lost count too
       in one queue at a time                          dead        and explain a gap
  I8   counts                                          counts      when nobody works; while they work: tests/simulation
  I9   purges (deleted queues too)                     purged      yes, from the answer on
  I10  delays                                          delayed     yes; retention: tests/conformance, on a clock by hand
  I11  deadlines survive restarts                      one holder, not too early: yes; not too late: from the drain on
                                                       back
  I12  restart time                                    (reported)  no line is drawn here
  I13  progress after a fault                          progress    some send, receive and delete each 5 s of service
  I14  damage is told and never served                 (none)      nothing is damaged here: test_damage.py
       queues themselves are created and deleted       queues      yes
       too much is unknown to prove anything           unknown     5 % of the requests

What cannot be told from the history is no violation: a message that was sent or deleted with outcome UNKNOWN may be there or
not, an expired handle of a queue with dead letters may have deleted nothing, and a change of visibility whose answer came
after its lease might have acted on another's lease: such messages are left out of "one holder". So are those whose lease or
delay runs over a start before which the wall clock was set forward: it cannot be known there how long the server was down.
"""

import bisect
import collections

from history import FAILED, OK, UNKNOWN
from history_order import check_order

TOLERANCE = 0.1  # two clocks, one of which may be slewed by a thousandth
PROGRESS_SECONDS = 5.0
UNKNOWN_SHARE = 0.05


class LostReceives:
    """How many receives of some queues, whose answers were lost, may have happened between two times."""

    def __init__(self, receives):
        self.invoked = sorted(receive.invoked for receive in receives)
        self.returned = sorted(receive.returned for receive in receives)

    def between(self, start, end):
        return bisect.bisect_right(self.invoked, end) - bisect.bisect_left(self.returned, start)


class View:
    """A history by message."""

    def __init__(self, history, drained_from):
        self.history, self.drained_from = history, drained_from
        self.sends, self.deletes, self.changes, self.deliveries = (collections.defaultdict(list) for _ in range(4))
        for name in ("sends", "deletes", "changes"):
            by_token = getattr(self, name)
            for event in getattr(history, name):
                by_token[event.token].append(event)
        lost = collections.defaultdict(list)
        for receive in history.receives:
            if receive.outcome == UNKNOWN:
                lost[self.family(receive.queue)].append(receive)
            for delivery in receive.deliveries:
                self.deliveries[delivery.token].append((receive, delivery))
        self.lost = collections.defaultdict(lambda: LostReceives(()), {name: LostReceives(each) for name, each in lost.items()})
        self.leaps = sorted(history.leaps)
        self.purges = collections.defaultdict(list)
        for purge in history.purges:
            if purge.outcome != FAILED:
                self.purges[purge.queue].append(purge)
        self.groups = collections.defaultdict(list)
        for send in history.sends:
            if send.group and send.outcome == OK:
                self.groups[send.queue, send.group].append(send)

    def family(self, queue):
        """A queue and that of its dead letters count as one where answers were lost."""
        source = self.history.source_of(queue)
        return source.name if source else queue

    def leapt(self, start, end):
        return bisect.bisect_right(self.leaps, end) > bisect.bisect_left(self.leaps, start)

    def lives(self, token):
        """The deliveries of a token, a list for each id that the message had, each in order of receive counts."""
        by_id = collections.defaultdict(list)
        for pair in self.deliveries[token]:
            by_id[pair[1].message_id].append(pair)
        for life in by_id.values():
            life.sort(key=lambda pair: (pair[1].count, pair[0].invoked))
        return sorted(by_id.values(), key=lambda life: min(receive.returned for receive, _ in life))


def lease_end(receive, delivery, changes, leapt=lambda start, end: False):
    """(the earliest moment at which the lease of this delivery may have ended, whether that is certain)."""
    end = receive.invoked + receive.lease
    for change in sorted(changes, key=lambda change: change.invoked):
        if change.message_id != delivery.message_id or change.count != delivery.count or change.outcome == FAILED:
            continue
        if change.returned > end or leapt(receive.invoked, change.returned):
            return end, False
        changed = change.invoked + change.seconds
        end = changed if change.outcome == OK else min(end, changed)
    return end, True


def violations(history, drained_from):
    """Sentences, one for each broken rule. The history ends with a drain: receives invoked from `drained_from` on, for as
    long as every lease could last, until the queues were empty. They count as deliveries like all others."""
    view = View(history, drained_from)
    found = []
    for token in view.deliveries:
        found.extend(_check_message(view, token))
    for token in view.sends:
        found.extend(_check_sends(view, token))
        found.extend(_check_kept(view, token))
    found.extend(_check_purges(view))
    found.extend(check_order(view))
    found.extend(_check_queues(history))
    found.extend(_check_quiet(view))
    found.extend(_check_progress(history))
    found.extend(_check_unknown(history))
    return found


def _check_message(view, token):
    sends = view.sends.get(token, ())
    if all(send.outcome == FAILED for send in sends):
        yield f"real: {token} was received but {'its send was refused' if sends else 'never sent'}"
        return
    rules = view.history.rules_of(sends[0].queue)
    for receive, delivery in view.deliveries[token]:
        if not delivery.intact:
            yield f"real: {token} was received with another body or other attributes"
        if receive.queue not in (rules.name, rules.dead_letters):
            yield f"real: {token} was sent to {rules.name} and received from {receive.queue}"
            return
        if delivery.group != sends[0].group:
            yield f"real: {token} was received in group {delivery.group!r}"
    lives = view.lives(token)
    known = {send.message_id for send in sends if send.outcome == OK}
    unseen = rules.dead_letters and view.lost[rules.name].between(sends[0].invoked, lives[0][0][0].returned) >= rules.max_receives
    if known and lives[0][0][1].message_id not in known and not unseen or len(lives) > 1 and not rules.dead_letters:
        yield f"real: {token} has several ids: {sorted(known | {life[0][1].message_id for life in lives})}"
        return
    for before, after in zip(lives, lives[1:]):
        yield from _check_moved(view, token, rules, before, after)
    for number, life in enumerate(lives):
        yield from _check_deletes(view, token, rules, life)
        yield from _check_dead_letters(token, rules, life)
        yield from _check_deliveries(view, token, life, sends[0].invoked if number == 0 else lives[number - 1][-1][0].invoked)
    first = min(receive.returned for receive, _ in lives[0])
    due = min(send.invoked + send.delay for send in sends if send.outcome != FAILED)
    if first < due - TOLERANCE and not view.leapt(sends[0].invoked, first):
        yield f"delayed: {token} came {due - first:.3f} s before its delay was over"


def _check_moved(view, token, rules, before, after):
    """A move task has brought the message back from the dead letters, under a new id."""
    (last_receive, last), (first_receive, first) = before[-1], after[0]
    if not any(move.queue == rules.dead_letters and move.outcome != FAILED and move.invoked <= first_receive.returned
               for move in view.history.moves):
        yield f"real: {token} has several ids: {last.message_id}, {first.message_id}; and nothing was moved"
    if first_receive.returned < last_receive.invoked:
        yield f"dead: {token} was handed out as {first.message_id} and later as {last.message_id}: it was in two queues"
    possible = last.count + view.lost[rules.name].between(last_receive.invoked, first_receive.returned)
    if possible < rules.max_receives:
        yield f"dead: {token} was moved as a dead letter after {possible} receives at most"


def _check_dead_letters(token, rules, life):
    if not rules.dead_letters:
        return
    for receive, delivery in life:
        if receive.queue == rules.name and delivery.count > rules.max_receives:
            yield f"dead: {token} was received {delivery.count} times from {rules.name}, more than {rules.max_receives}"
        if receive.queue == rules.dead_letters and delivery.count <= rules.max_receives:
            yield f"dead: {token} came to {rules.dead_letters} with receive count {delivery.count}"


def _check_deletes(view, token, rules, life):
    message_id = life[0][1].message_id
    ended = None
    for delete in view.deletes[token]:
        if delete.message_id != message_id or delete.outcome != OK:
            continue
        if rules.dead_letters:  # an expired handle may have named a message that had been moved on
            held = [lease_end(receive, delivery, view.changes[token])[0] for receive, delivery in life if delivery.count == delete.count]
            if not held or delete.returned > held[0] - TOLERANCE or view.leapt(delete.invoked - 60, delete.returned):
                continue
        ended = delete.returned if ended is None else min(ended, delete.returned)
    for receive, _ in life:
        if ended is not None and receive.invoked > ended:
            yield f"deleted: {token} was received {receive.invoked - ended:.3f} s after its delete was acknowledged"


def _check_deliveries(view, token, life, since):
    lost = view.lost[view.family(life[0][0].queue)]
    first_receive, first = life[0]
    if first.count > 1 and first.count > 1 + lost.between(since, first_receive.returned):
        yield f"counted: {token} begins with receive count {first.count}"
    changes = view.changes[token]
    loose = False
    for (before, old), (after, new) in zip(life, life[1:]):
        steps = new.count - old.count
        if steps < 1:
            yield f"counted: {token} was delivered twice with receive count {new.count}"
            continue
        if after.returned < before.invoked:
            yield f"counted: {token} has receive count {new.count} before {old.count}"
            continue
        if steps > 1 and steps - 1 > lost.between(before.invoked, after.returned):
            yield f"counted: {token} goes from receive count {old.count} to {new.count}, more than answers were lost"
        end, certain = lease_end(before, old, changes, view.leapt)
        loose = loose or not certain
        if not loose and after.returned < end - TOLERANCE and not view.leapt(before.invoked, after.returned):
            yield (f"one holder: {token} was handed out again after {after.returned - before.returned:.3f} s, {end - after.returned:.3f} s "
                   f"before its lease could end")


def _check_sends(view, token):
    sends = view.sends[token]
    if len(sends) > 1:
        if not view.history.rules_of(sends[0].queue).fifo:
            yield f"test error: token {token} was sent twice"
        answers = {(send.message_id, send.sequence) for send in sends if send.outcome == OK}
        if len(answers) > 1:
            yield f"once: sends of {token} were answered with {sorted(answers)}"
    if len(sends) > 1 or sends[0].sequence:
        numbers = {delivery.sequence for receive, delivery in view.deliveries[token] if receive.queue == sends[0].queue}
        numbers |= {send.sequence for send in sends if send.outcome == OK}
        if len(numbers) > 1 and not view.history.rules_of(sends[0].queue).dead_letters:
            yield f"once: {token} has several sequence numbers: {sorted(numbers)}"


def _check_kept(view, token):
    sends, lives = view.sends[token], view.lives(token) if token in view.deliveries else []
    if not lives and all(send.outcome != OK for send in sends):
        return
    if lives and any(delete.outcome != FAILED and delete.message_id == lives[-1][0][1].message_id for delete in view.deletes[token]
                     if delete.invoked < view.drained_from):
        return
    if any(purge.returned >= sends[0].invoked for purge in view.purges[sends[0].queue]):
        return
    if not any(receive.invoked >= view.drained_from for life in lives for receive, _ in life):
        known = "was acknowledged" if any(send.outcome == OK for send in sends) else "was received"
        yield f"kept: {token} {known} and not deleted, and is not there at the end"


def _check_purges(view):
    """One client after the other purges a queue, so that the latest answer is also the latest call."""
    done = {queue: sorted((purge.returned, purge.invoked) for purge in purges if purge.outcome == OK) for queue, purges in view.purges.items()}
    for receive in view.history.receives:
        purges = done.get(receive.queue)
        if not purges:
            continue
        at = bisect.bisect_left(purges, (receive.invoked, 0.0))
        for delivery in receive.deliveries if at else ():
            if all(send.returned < purges[at - 1][1] for send in view.sends[delivery.token]):
                yield f"purged: {delivery.token} was received {receive.invoked - purges[at - 1][0]:.3f} s after {receive.queue} was purged"


def _check_queues(history):
    if history.listed is None:
        return
    states = collections.defaultdict(lambda: {False})
    for change in sorted(history.queue_changes, key=lambda change: change.invoked):
        if change.outcome == OK:
            states[change.queue] = {change.exists}
        elif change.outcome == UNKNOWN:
            states[change.queue] = states[change.queue] | {change.exists}
    for name, possible in states.items():
        if (name in history.listed) not in possible:
            yield f"queues: {name} {'was deleted and is there' if name in history.listed else 'was created and is not there'}"


def _check_quiet(view):
    drained = collections.defaultdict(set)
    for receive in view.history.receives:
        if receive.invoked >= view.drained_from:
            drained[receive.queue].update(delivery.token for delivery in receive.deliveries)
    for quiet in view.history.quiet:
        rules = view.history.rules_of(quiet.queue)
        if not rules.dead_letters and view.history.source_of(quiet.queue) is None and sum(quiet.counts) != len(drained[quiet.queue]):
            yield f"counts: {quiet.queue} told {quiet.counts} and had {len(drained[quiet.queue])} messages"
    told, there = sum(sum(quiet.counts) for quiet in view.history.quiet), sum(map(len, drained.values()))
    if view.history.quiet and told != there:
        yield f"counts: all queues together told {told} and had {there} messages"


def longest_wait(history, events):
    """The longest time of service without an OK among the events, in seconds; pauses and restarts do not count."""
    starts, before = [], [0.0]
    for start, end in sorted(history.serving):
        starts.append(start)
        before.append(before[-1] + end - start)
    spans = sorted(history.serving)

    def served(moment):
        at = bisect.bisect_right(starts, moment)
        return before[at] - max(0.0, spans[at - 1][1] - moment) if at else 0.0

    moments = sorted([0.0, before[-1], *(served(event.returned) for event in events if event.outcome == OK)])
    return max(after - earlier for earlier, after in zip(moments, moments[1:]))


def _check_progress(history):
    if not history.serving:
        return
    for name in ("sends", "receives", "deletes"):
        wait = longest_wait(history, getattr(history, name))
        if wait > PROGRESS_SECONDS:
            yield f"progress: {wait:.1f} s of service without one of the {name} done"


def _check_unknown(history):
    total = sum(history.requests.values())
    if total and history.requests[UNKNOWN] > UNKNOWN_SHARE * total:
        yield f"unknown: the outcome of {history.requests[UNKNOWN]} of {total} requests"


def held_too_long(history, drain_rounds, slack):
    """The rule `back`. `drain_rounds` are the receives of the drain that ran continuously. A message must come at the latest
    `slack` seconds after the last lease that anyone could hold on it, or on its group, has ended: no later answer of its queue
    may be empty before it has come. (How long it takes to get at it behind others is the drain's own matter.)"""
    found = []
    start = min(receive.invoked for receive in drain_rounds)
    due = collections.defaultdict(float)  # by token, and by group
    group_of = {send.token: ("group", send.group) for send in history.sends if send.group}
    last_lost = max((receive.returned + receive.lease for receive in history.receives if receive.outcome == UNKNOWN), default=0.0)
    for receive in history.receives:
        if receive.outcome == OK and receive.invoked < start:
            for delivery in receive.deliveries:
                for key in (delivery.token, group_of.get(delivery.token)):
                    due[key] = max(due[key], receive.returned + receive.lease)
    for change in history.changes:
        for key in (change.token, group_of.get(change.token)) if change.outcome != FAILED else ():
            due[key] = max(due[key], change.returned + change.seconds)
    due[None] = 0.0
    for send in history.sends:
        if send.delay:
            due[send.token] = max(due[send.token], send.returned + send.delay)
    empty = collections.defaultdict(list)  # when the drain was told that there is nothing, by queue
    for receive in drain_rounds:
        if receive.outcome == OK and not receive.deliveries:
            empty[receive.queue].append(receive.invoked)
        for delivery in receive.deliveries:
            expected = max(start, due[delivery.token], due[group_of.get(delivery.token)], last_lost) + slack
            late = receive.returned - expected
            if late > 0 and empty[receive.queue] and empty[receive.queue][-1] >= expected:
                found.append(f"back: {delivery.token} came back {late:.3f} s late")
    return found
