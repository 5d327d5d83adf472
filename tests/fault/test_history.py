"""The checker's own tests: a sound history passes, and each rule sees the history that breaks it."""

from history import FAILED, OK, UNKNOWN, Delete, Delivery, History, Receive, Release, Send, held_too_long, violations


def history(*events):
    made = History()
    for event in events:
        made.add(event)
    return made


def receive(at, *deliveries, lease=10.0, outcome=OK):
    return Receive(at, at + 0.1, outcome, lease, 10, tuple(deliveries))


SENT = Send("a", 1.0, 1.1, OK, "id-a")
DRAIN = 1000.0


def only(found, rule):
    assert len(found) == 1, found
    assert found[0].startswith(rule + ":"), found


def test_a_sound_history():
    assert violations(history(
        SENT, Send("b", 1.0, 1.1, OK, "id-b"), Send("c", 1.0, 1.1, UNKNOWN), Send("d", 1.0, 1.1, FAILED), Send("e", 1, 1.1, UNKNOWN),
        receive(2.0, Delivery("a", "id-a", 1), Delivery("b", "id-b", 1)), Delete("b", 3.0, 3.1, OK),
        receive(12.2, Delivery("a", "id-a", 2)), Release("a", 12.4, 12.5, OK), receive(12.6, Delivery("a", "id-a", 3)),
        receive(40.0, outcome=UNKNOWN),
        receive(DRAIN, Delivery("a", "id-a", 5), Delivery("c", "id-c", 1))), DRAIN) == []


def test_a_lost_message():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), receive(DRAIN)), DRAIN), "kept")


def test_a_lost_message_whose_delete_was_refused():
    only(violations(history(SENT, Delete("a", 2.0, 2.1, FAILED)), DRAIN), "kept")


def test_a_message_whose_delete_is_unknown_may_be_gone_or_there():
    deleted = Delete("a", 3.0, 3.1, UNKNOWN)
    assert violations(history(SENT, deleted), DRAIN) == []
    assert violations(history(SENT, deleted, receive(DRAIN, Delivery("a", "id-a", 1))), DRAIN) == []


def test_a_deleted_message_that_returns():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), Delete("a", 3.0, 3.1, OK),
                            receive(DRAIN, Delivery("a", "id-a", 2))), DRAIN), "deleted")


def test_a_receive_that_overlaps_the_delete_is_no_violation():
    overlapping = Receive(20.0, 20.5, OK, 10.0, 10, (Delivery("a", "id-a", 2),))
    assert violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), overlapping, Delete("a", 20.1, 20.2, OK)), DRAIN) == []


def test_a_message_that_nobody_sent():
    only(violations(history(receive(DRAIN, Delivery("x", "id-x", 1))), DRAIN), "real")


def test_a_message_whose_send_was_refused():
    only(violations(history(Send("a", 1.0, 1.1, FAILED), receive(DRAIN, Delivery("a", "id-a", 1))), DRAIN), "real")


def test_one_send_under_two_ids():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-z", 1), lease=0), receive(DRAIN, Delivery("a", "id-a", 2))), DRAIN), "real")


def test_another_body():
    only(violations(history(SENT, receive(DRAIN, Delivery("a", "id-a", 1, intact=False))), DRAIN), "real")


def test_two_holders():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), receive(11.0, Delivery("a", "id-a", 2)),
                            receive(DRAIN, Delivery("a", "id-a", 3))), DRAIN), "one holder")


def test_a_lease_that_was_given_back_or_perhaps():
    for outcome in (OK, UNKNOWN):
        assert violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), Release("a", 3.0, 3.1, outcome),
                                  receive(4.0, Delivery("a", "id-a", 2)), receive(DRAIN, Delivery("a", "id-a", 3))), DRAIN) == []
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), Release("a", 3.0, 3.1, FAILED),
                            receive(4.0, Delivery("a", "id-a", 2)), receive(DRAIN, Delivery("a", "id-a", 3))), DRAIN), "one holder")


def test_a_count_that_is_forgotten():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), receive(DRAIN, Delivery("a", "id-a", 1))), DRAIN), "counted")


def test_a_count_that_jumps():
    only(violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), receive(DRAIN, Delivery("a", "id-a", 3))), DRAIN), "counted")
    only(violations(history(SENT, receive(DRAIN, Delivery("a", "id-a", 2))), DRAIN), "counted")


def test_a_lost_answer_explains_a_jump():
    assert violations(history(SENT, receive(2.0, Delivery("a", "id-a", 1)), receive(50.0, outcome=UNKNOWN),
                              receive(DRAIN, Delivery("a", "id-a", 3))), DRAIN) == []


def test_a_message_that_stays_hidden():
    early, late = receive(100.5, Delivery("a", "id-a", 2)), receive(120.0, Delivery("b", "id-b", 2))
    whole = history(SENT, receive(90.0, Delivery("a", "id-a", 1), Delivery("b", "id-b", 1)), early, late)
    drain = [receive(95.0), early, late]
    only(held_too_long(whole, drain, slack=5.0), "back")
    whole.add(receive(105.0, outcome=UNKNOWN))
    assert held_too_long(whole, drain, slack=5.0) == []
