"""The checker's own tests: a sound history passes, and each rule sees the history that breaks it, and only that rule."""

import pytest
from history import FAILED, OK, UNKNOWN, Change, Delete, Delivery, History, Move, Purge, Queue, QueueChange, Quiet, Receive, Send
from history_check import held_too_long, lease_end, longest_wait, violations

QUEUES = (Queue("q"), Queue("f", fifo=True), Queue("s", max_receives=2, dead_letters="d"), Queue("d"),
          Queue("sf", fifo=True, max_receives=2, dead_letters="df"), Queue("df", fifo=True))
DRAIN = 1000.0


def history(*events, **more):
    made = History(QUEUES)
    for event in events:
        made.add(event)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def receive(at, *deliveries, lease=10.0, outcome=OK, queue="q"):
    return Receive(at, at + 0.1, outcome, lease, tuple(deliveries), queue)


def sound(*events, **more):
    assert violations(history(*events, **more), DRAIN) == []


def broken(rule, *events, **more):
    found = violations(history(*events, **more), DRAIN)
    assert {sentence.partition(":")[0] for sentence in found} == {rule}, found


def a(count, message_id="id-a", **more):
    return Delivery("a", message_id, count, **more)


SENT = Send("a", 1.0, 1.1, OK, "id-a")


# I1, kept

def test_a_sound_history():
    sound(SENT, Send("b", 1.0, 1.1, OK, "id-b"), Send("c", 1.0, 1.1, UNKNOWN), Send("d", 1.0, 1.1, FAILED), Send("e", 1, 1.1, UNKNOWN),
          receive(2.0, a(1), Delivery("b", "id-b", 1)), Delete("b", 3.0, 3.1, OK, "id-b"), receive(12.2, a(2)),
          Change("a", 12.4, 12.5, OK, 0, "id-a", 2), receive(12.6, a(3)), receive(40.0, outcome=UNKNOWN),
          receive(DRAIN, a(5), Delivery("c", "id-c", 1)))


def test_a_lost_message():
    broken("kept", SENT, receive(2.0, a(1)), receive(DRAIN))


def test_a_lost_message_whose_delete_was_refused():
    broken("kept", SENT, receive(2.0, a(1)), Delete("a", 2.0, 2.1, FAILED, "id-a"))


def test_a_lost_message_whose_send_is_unknown_and_which_was_received():
    broken("kept", Send("a", 1.0, 1.1, UNKNOWN), receive(2.0, a(1)), receive(DRAIN))


def test_a_message_that_is_deleted_in_the_drain_must_have_come():
    broken("kept", SENT, receive(2.0, a(1)), Delete("a", DRAIN + 1, DRAIN + 2, OK, "id-a"))


def test_a_message_whose_delete_is_unknown_may_be_gone_or_there():
    deleted = Delete("a", 3.0, 3.1, UNKNOWN, "id-a")
    sound(SENT, receive(2.0, a(1)), deleted)
    sound(SENT, receive(2.0, a(1)), deleted, receive(DRAIN, a(2)))


# I2, deleted

def test_a_deleted_message_that_returns():
    broken("deleted", SENT, receive(2.0, a(1)), Delete("a", 3.0, 3.1, OK, "id-a"), receive(DRAIN, a(2)))


def test_a_receive_that_overlaps_the_delete_is_no_violation():
    sound(SENT, receive(2.0, a(1)), Receive(20.0, 20.5, OK, 10.0, (a(2),)), Delete("a", 20.1, 20.2, OK, "id-a"))


# I3, real

def test_a_message_that_nobody_sent():
    broken("real", receive(DRAIN, a(1)))


def test_a_message_whose_send_was_refused():
    broken("real", Send("a", 1.0, 1.1, FAILED), receive(DRAIN, a(1)))


def test_one_send_under_two_ids():
    broken("real", SENT, receive(2.0, a(1, "id-z"), lease=0), receive(DRAIN, a(2)))


def test_another_id_than_the_send_was_told():
    broken("real", SENT, receive(DRAIN, a(1, "id-z")))


def test_another_body():
    broken("real", SENT, receive(DRAIN, a(1, intact=False)))


def test_another_queue():
    broken("real", SENT, receive(DRAIN, a(1), queue="other"))


def test_another_group():
    broken("real", in_line(1, "a"), got(DRAIN, 1, "a", group="h"))


# I4 and I11, one holder

def test_two_holders():
    broken("one holder", SENT, receive(2.0, a(1)), receive(11.0, a(2)), receive(DRAIN, a(3)))


def test_two_holders_within_the_tolerance():
    sound(SENT, receive(2.0, a(1)), receive(11.85, a(2)), receive(DRAIN, a(3)))
    broken("one holder", SENT, receive(2.0, a(1)), receive(11.75, a(2)), receive(DRAIN, a(3)))


def test_a_lease_that_was_given_back_or_perhaps():
    for outcome in (OK, UNKNOWN):
        sound(SENT, receive(2.0, a(1)), Change("a", 3.0, 3.1, outcome, 0, "id-a", 1), receive(4.0, a(2)), receive(DRAIN, a(3)))
    broken("one holder", SENT, receive(2.0, a(1)), Change("a", 3.0, 3.1, FAILED, 0, "id-a", 1), receive(4.0, a(2)), receive(DRAIN, a(3)))


def test_a_lease_that_was_made_longer():
    longer = Change("a", 9.0, 9.1, OK, 10, "id-a", 1)
    broken("one holder", SENT, receive(2.0, a(1)), longer, receive(14.0, a(2)), receive(DRAIN, a(3)))
    longer.outcome = UNKNOWN
    sound(SENT, receive(2.0, a(1)), longer, receive(14.0, a(2)), receive(DRAIN, a(3)))


def test_a_change_after_the_lease_excuses_what_follows():
    late = Change("a", 11.9, 12.1, OK, 0, "id-a", 1)
    assert lease_end(receive(2.0), a(1), [late]) == (12.0, False)
    sound(SENT, receive(2.0, a(1)), late, receive(12.2, a(2)), receive(13.0, a(3)), receive(DRAIN, a(4)))


def test_the_clock_was_set_forward():
    sound(SENT, receive(2.0, a(1)), receive(4.0, a(2)), receive(DRAIN, a(3)), leaps=[3.0])
    broken("one holder", SENT, receive(2.0, a(1)), receive(4.0, a(2)), receive(DRAIN, a(3)), leaps=[5.0])


# I7, counted and dead

def test_a_count_that_is_forgotten():
    broken("counted", SENT, receive(2.0, a(1)), receive(DRAIN, a(1)))


def test_a_count_that_jumps():
    broken("counted", SENT, receive(2.0, a(1)), receive(DRAIN, a(3)))
    broken("counted", SENT, receive(DRAIN, a(2)))


def test_a_count_that_goes_back():
    broken("counted", SENT, receive(2.0, a(2)), receive(20.0, a(1)), receive(DRAIN, a(3)), receive(1.5, outcome=UNKNOWN))


def test_a_lost_answer_explains_a_jump():
    sound(SENT, receive(2.0, a(1)), receive(50.0, outcome=UNKNOWN), receive(DRAIN, a(3)))
    broken("counted", SENT, receive(2.0, a(1)), receive(50.0, outcome=UNKNOWN, queue="other"), receive(DRAIN, a(3)))


TRIED = Send("a", 1.0, 1.1, OK, "id-a", "s")
TWICE = (TRIED, receive(2.0, a(1), queue="s"), receive(20.0, a(2), queue="s"))
MOVED = Move(200.0, 200.1, OK, "d")


def test_dead_letters():
    sound(*TWICE, receive(DRAIN, a(3), queue="d"))
    sound(*TWICE, receive(100.0, a(3), queue="d"), MOVED, receive(300.0, a(1, "id-b"), queue="s"), receive(400.0, a(2, "id-b"), queue="s"),
          receive(DRAIN, a(3, "id-b"), queue="d"))


def test_a_message_that_should_have_been_a_dead_letter():
    broken("dead", *TWICE, receive(DRAIN, a(3), queue="s"))


def test_a_dead_letter_too_early():
    broken("dead", TRIED, receive(2.0, a(1), queue="s"), receive(DRAIN, a(2), queue="d"))


def test_a_message_in_two_queues():
    broken("dead", *TWICE, receive(DRAIN + 1, a(3), queue="d"), MOVED, Receive(900.0, 900.1, OK, 1.0, (a(1, "id-b"),), "s"), receive(DRAIN, a(2, "id-b"), queue="s"))


def test_a_message_moved_back_that_nobody_moved():
    broken("real", *TWICE, receive(DRAIN, a(1, "id-b"), queue="s"))


def test_a_message_moved_that_was_no_dead_letter_yet():
    broken("dead", TRIED, receive(2.0, a(1), queue="s"), MOVED, receive(DRAIN, a(1, "id-b"), queue="s"))
    sound(TRIED, receive(2.0, a(1), queue="s"), receive(50.0, outcome=UNKNOWN, queue="s"), MOVED, receive(DRAIN, a(1, "id-b"), queue="s"))


def test_a_dead_letter_that_is_lost():
    broken("kept", *TWICE, receive(100.0, a(3), queue="d"), receive(DRAIN, queue="d"))


def test_an_expired_handle_of_a_message_that_had_moved_on():
    sound(*TWICE, Delete("a", 40.0, 40.1, OK, "id-a", 2, "s"), receive(DRAIN, a(3), queue="d"))
    broken("deleted", *TWICE, Delete("a", 25.0, 25.1, OK, "id-a", 2, "s"), receive(DRAIN, a(3), queue="d"))


# I5, order

def in_line(number, token, at=None, outcome=OK, position=0):
    at = at or 1.0 + number / 100
    return Send(token, at, at + 0.005, outcome, f"id-{token}" if outcome == OK else "", "f", 0.0, "g", number if outcome == OK else 0, position)


def got(at, number, token, count=1, group="g"):
    return receive(at, Delivery(token, f"id-{token}", count, True, group, number), queue="f")


def gone(at, token):
    return Delete(token, at, at + 0.1, OK, f"id-{token}", 1, "f")


LINE = (in_line(1, "a"), in_line(2, "b"), in_line(3, "c"))


def whole(at, *tokens):
    numbers = {"a": 1, "b": 2, "c": 3}
    return receive(at, *(Delivery(token, f"id-{token}", 1, True, "g", numbers[token]) for token in tokens), queue="f")


def test_a_line_in_order():
    sound(*LINE, got(2.0, 1, "a"), gone(3.0, "a"), got(4.0, 2, "b"), gone(5.0, "b"), got(DRAIN, 3, "c"))
    sound(*LINE, whole(2.0, "a", "b", "c"), gone(3.0, "b"), gone(3.0, "a"), gone(3.0, "c"))


def test_a_line_out_of_order():
    broken("order", *LINE, got(2.0, 2, "b"), gone(3.0, "b"), got(4.0, 1, "a"), gone(5.0, "a"), got(DRAIN, 3, "c"))


def test_a_message_passes_one_in_flight():
    broken("order", *LINE, got(2.0, 1, "a"), got(4.0, 2, "b"), gone(5.0, "a"), gone(5.0, "b"), got(DRAIN, 3, "c"))


def test_a_message_is_passed_over_in_one_answer():
    broken("order", *LINE, whole(2.0, "a", "c"), gone(3.0, "a"), gone(3.0, "c"), got(DRAIN, 2, "b"))


def test_an_answer_out_of_order():
    broken("order", *LINE, whole(2.0, "b", "a", "c"), *(gone(3.0, token) for token in "abc"))


def test_redelivery_that_does_not_start_at_the_head():
    broken("order", *LINE, whole(2.0, "a", "b", "c"), receive(20.0, Delivery("b", "id-b", 2, True, "g", 2), queue="f"), *(gone(31.0, token) for token in "abc"))


def test_numbers_that_do_not_follow_the_sends():
    broken("order", in_line(2, "a", at=1.0), in_line(1, "b", at=2.0), got(3.0, 1, "b"), gone(4.0, "b"), got(DRAIN, 2, "a"))
    sound(in_line(2, "a", at=1.0), in_line(1, "b", at=1.001), got(3.0, 1, "b"), gone(4.0, "b"), got(DRAIN, 2, "a"))


def test_a_batch_that_is_numbered_in_another_order():
    broken("order", in_line(2, "a", at=1.0, position=0), in_line(1, "b", at=1.0, position=1), got(3.0, 1, "b"), gone(4.0, "b"), got(DRAIN, 2, "a"))


def test_a_dead_letter_of_a_line_lets_the_next_pass():
    def tried(number, token):
        return Send(token, 1.0 + number / 100, 1.005 + number / 100, OK, f"id-{token}", "sf", 0.0, "g", number)

    def at(moment, number, token, count, queue):
        return receive(moment, Delivery(token, f"id-{token}", count, True, "g", number), queue=queue)

    first = (tried(1, "a"), tried(2, "b"), at(2.0, 1, "a", 1, "sf"), at(20.0, 1, "a", 2, "sf"))
    sound(*first, at(40.0, 2, "b", 1, "sf"), at(DRAIN, 9, "a", 3, "df"), at(DRAIN, 2, "b", 2, "sf"))
    broken("order", *first[:3], at(4.0, 2, "b", 1, "sf"), at(DRAIN, 1, "a", 2, "sf"), at(DRAIN, 2, "b", 2, "sf"))


# I6, once

def test_sends_of_one_deduplication_id():
    again = Send("a", 2.0, 2.1, OK, "id-a", "f", 0.0, "g", 1)
    sound(in_line(1, "a"), again, got(DRAIN, 1, "a"))
    sound(in_line(1, "a", outcome=UNKNOWN), again, got(DRAIN, 1, "a"))


def test_a_duplicate_that_is_told_another_id():
    broken("once", in_line(1, "a"), Send("a", 2.0, 2.1, OK, "id-z", "f", 0.0, "g", 1), got(DRAIN, 1, "a"))


def test_a_duplicate_that_is_told_another_number():
    broken("once", in_line(1, "a"), Send("a", 2.0, 2.1, OK, "id-a", "f", 0.0, "g", 2), got(DRAIN, 1, "a"))


def test_a_duplicate_that_is_delivered_as_well():
    broken("real", in_line(1, "a"), got(2.0, 1, "a"), gone(3.0, "a"),
           receive(DRAIN, Delivery("a", "id-z", 1, True, "g", 1), queue="f"))


# I8, counts

def test_counts_that_are_wrong():
    sound(SENT, receive(DRAIN, a(1)), Quiet((1, 0, 0), "q"))
    broken("counts", SENT, receive(DRAIN, a(1)), Quiet((0, 0, 0), "q"))
    broken("counts", *TWICE, receive(DRAIN, a(3), queue="d"), Quiet((0, 0, 0), "s"), Quiet((1, 1, 0), "d"))


# I9, purged

PURGED = Purge(5.0, 5.1, OK, "q")


def test_purges():
    sound(SENT, PURGED)
    sound(SENT, PURGED, Receive(5.05, 5.2, OK, 10.0, (a(1),)))
    sound(SENT, Purge(5.0, 5.1, UNKNOWN, "q"), receive(DRAIN, a(1)))
    broken("purged", SENT, PURGED, receive(DRAIN, a(1)))


def test_a_purge_that_takes_what_came_later():
    broken("kept", Send("a", 6.0, 6.1, OK, "id-a"), PURGED, receive(DRAIN))


# I10, delayed

def test_a_delay_that_is_too_short():
    delayed = Send("a", 1.0, 1.1, OK, "id-a", "q", 5.0)
    sound(delayed, receive(6.0, a(1)), receive(DRAIN, a(2)))
    broken("delayed", delayed, receive(5.0, a(1)), receive(DRAIN, a(2)))


# I11, back

def test_a_message_that_stays_hidden():
    early, nothing, late = receive(100.5, a(2)), receive(105.2), receive(120.0, Delivery("b", "id-b", 2))
    whole_history = history(SENT, receive(90.0, a(1), Delivery("b", "id-b", 1)), early, nothing, late)
    rounds = [receive(95.0), early, nothing, late]
    found = held_too_long(whole_history, rounds, slack=5.0)
    assert len(found) == 1 and found[0].startswith("back: b"), found
    for earlier in (receive(105.0), receive(105.2, queue="other"), receive(105.2, outcome=UNKNOWN)):
        assert held_too_long(whole_history, [receive(95.0), early, earlier, late], slack=5.0) == []
    whole_history.add(receive(105.0, outcome=UNKNOWN))
    assert held_too_long(whole_history, rounds, slack=5.0) == []


def test_what_may_hide_a_message_longer():
    late = receive(120.0, a(2))
    for event in (Change("a", 99.0, 99.1, OK, 20, "id-a", 1), Send("a", 99.0, 99.1, OK, "id-a", "q", 20.0)):
        assert held_too_long(history(SENT, receive(90.0, a(1)), event, late), [receive(95.0), receive(119.0), late], slack=5.0) == []
    in_group = got(120.0, 2, "b")
    before = history(*LINE, receive(100.0, Delivery("a", "id-a", 1, True, "g", 1), lease=15.0, queue="f"), in_group)
    assert held_too_long(before, [receive(105.0), receive(119.0, queue="f"), in_group], slack=5.0) == []


# I13, progress

def test_service_without_progress():
    served = [(0.0, 4.0), (10.0, 14.0), (20.0, 24.0)]
    steps = [Send(token, at, at + 0.1, OK, f"id-{token}") for token, at in (("a", 1.0), ("b", 12.0), ("c", 21.0))]
    assert longest_wait(history(serving=served), steps) == pytest.approx(5.0)
    assert longest_wait(history(serving=served), steps[:1]) == pytest.approx(10.9)
    assert longest_wait(history(serving=served), [Send("a", 1.0, 1.1, UNKNOWN)]) == pytest.approx(12.0)
    found = violations(history(*(receive(float(at)) for at in range(25)), serving=served), DRAIN)
    assert [sentence.split(" s of")[0] for sentence in found] == ["progress: 12.0", "progress: 12.0"]
    assert "sends" in found[0] and "deletes" in found[1]


# queues, unknown

def test_queues_that_come_and_go_by_themselves():
    made, deleted = QueueChange(1.0, 1.1, OK, True, "n"), QueueChange(2.0, 2.1, OK, False, "n")
    sound(made, listed={"n"})
    sound(made, deleted, listed=set())
    sound(made, QueueChange(2.0, 2.1, UNKNOWN, False, "n"), listed=set())
    sound(made, QueueChange(2.0, 2.1, UNKNOWN, False, "n"), listed={"n"})
    broken("queues", made, listed=set())
    broken("queues", made, deleted, listed={"n"})


def test_too_much_is_unknown():
    for unknown, rules in ((50, []), (51, ["unknown"])):
        made = history()
        made.requests.update({OK: 1000 - unknown, UNKNOWN: unknown})
        assert [sentence.partition(":")[0] for sentence in violations(made, DRAIN)] == rules
