"""The rule `order` of history_check.py: FIFO groups. O(n log n) for each group."""

import collections

from history import FAILED, OK


def check_order(view):
    fifo = {name for name, rules in view.history.queues.items() if rules.fifo}
    sent, received = collections.defaultdict(list), collections.defaultdict(list)
    for send in view.history.sends:
        if send.queue in fifo and send.outcome == OK and len(view.sends[send.token]) == 1:
            sent[send.queue, send.group].append(send)
    for receive in view.history.receives:
        groups = collections.defaultdict(list)
        for delivery in receive.deliveries if receive.queue in fifo else ():
            groups[delivery.group].append(delivery)
        for group, deliveries in groups.items():
            received[receive.queue, group].append((receive, deliveries))
    for (_, group), sends in sent.items():
        yield from _check_numbers(group, sends)
    for (queue, group), answers in received.items():
        if view.history.source_of(queue) is None:  # dead letters come in the order in which they were given up
            yield from _check_group(view, queue, group, answers)


def _check_numbers(group, sends):
    """Sequence numbers go up from one send to any that was invoked after its answer, and along a batch."""
    by_return = sorted(sends, key=lambda send: send.returned)
    highest, at = 0, 0
    for send in sorted(sends, key=lambda send: send.invoked):
        while at < len(by_return) and by_return[at].returned < send.invoked:
            highest = max(highest, by_return[at].sequence)
            at += 1
        if send.sequence <= highest:
            yield f"order: {send.token} of group {group} was sent later and has a lower sequence number"
    batches = collections.defaultdict(list)
    for send in sends:
        batches[send.invoked, send.returned].append(send)
    for batch in batches.values():
        numbers = [send.sequence for send in sorted(batch, key=lambda send: send.position)]
        if numbers != sorted(numbers):
            yield f"order: a batch with {batch[0].token} was numbered in another order"


def _removable(view, queue, token, message_id):
    """The earliest moment at which the message with this id may have left the queue; infinity while it must be there."""
    times = [delete.invoked for delete in view.deletes[token] if delete.outcome != FAILED and delete.message_id == message_id]
    times += [purge.invoked for purge in view.purges[queue]]
    seen = view.deliveries.get(token, ())
    if any(receive.queue != queue or delivery.message_id != message_id for receive, delivery in seen):
        # A dead letter since its last receive here at the earliest, perhaps moved back under another id since.
        here = [receive.invoked for receive, delivery in seen if receive.queue == queue and delivery.message_id == message_id]
        times.append(max(here, default=view.sends[token][0].invoked))
    return min(times, default=float("inf"))


def _check_group(view, queue, group, answers):
    numbers = {(send.token, send.message_id): send.sequence for send in view.groups[queue, group]}
    for _, deliveries in answers:
        for delivery in deliveries:
            numbers[delivery.token, delivery.message_id] = delivery.sequence
    line = sorted((number, key) for key, number in numbers.items())
    places = {key: place for place, (_, key) in enumerate(line)}
    removable = [_removable(view, queue, *key) for _, key in line]
    latest, highest = [], (float("-inf"), "")
    for place, (_, key) in enumerate(line):  # of those in front of each place, the one that may leave last
        latest.append(highest)
        highest = max(highest, (removable[place], key[0]))
    for receive, deliveries in answers:
        keys = [(delivery.token, delivery.message_id) for delivery in deliveries]
        if [delivery.sequence for delivery in deliveries] != sorted(delivery.sequence for delivery in deliveries):
            yield f"order: an answer has messages of group {group} out of order, {keys[0][0]} first"
            continue
        head = places[keys[0]]
        if latest[head][0] >= receive.returned:
            yield f"order: {keys[0][0]} of group {group} was received from {queue} while {latest[head][1]} was in front of it"
        for place in range(head, places[keys[-1]]):
            if line[place][1] not in keys and removable[place] >= receive.returned:
                yield f"order: {line[place][1][0]} of group {group} was passed over"
