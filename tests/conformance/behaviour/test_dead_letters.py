"""What happens to a message that was received too often, and move tasks that bring it back."""

import base64
import json
import time
import uuid

from ferry_server import wait_until
from row_catalogue import rows
from two_protocols import Refused

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793"
NO_SOURCE = "The resource that you specified for the SourceArn parameter doesn't exist."


def outcome(refused):
    return refused.status, refused.code, refused.message


@rows("dead.moved", "dead.skips", "dead.kept", "message.id")
def test_a_message_is_moved(api, make):
    target = make()
    source = make(dead_letters=(target, 1))
    attributes = {"k": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    api.post(source, "worn", MessageAttributes=attributes, MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
             MessageGroupId="tenant")
    first = api.take_one(source, VisibilityTimeout=0, AttributeNames=["All"], MessageAttributeNames=["All"])
    assert first["Attributes"]["ApproximateReceiveCount"] == "1" and "DeadLetterQueueSourceArn" not in first["Attributes"]
    api.post(source, "fresh")
    assert api.bodies(source) == ["fresh"]
    assert api.counts(source) == (0, 1, 0)
    moved = api.take_one(target, AttributeNames=["All"], MessageAttributeNames=["All"])
    expected = {**first["Attributes"], "ApproximateReceiveCount": "2", "DeadLetterQueueSourceArn": api.arn(source)}
    assert moved["Attributes"] == expected
    for name in ("MessageId", "Body", "MD5OfBody", "MessageAttributes", "MD5OfMessageAttributes"):
        assert moved[name] == first[name], name
    api.delete(target, moved["ReceiptHandle"])
    assert api.refuses("DeleteMessage", QueueUrl=target, ReceiptHandle=first["ReceiptHandle"]).code == "ReceiptHandleIsInvalid"
    assert api.counts(target) == (0, 0, 0)


@rows("dead.moved")
def test_after_as_many_receives_as_allowed(api, make):
    target = make()
    source = make(dead_letters=(target, 3))
    api.post(source)
    for count in ("1", "2", "3"):
        assert api.take_one(source, VisibilityTimeout=0, AttributeNames=["All"])["Attributes"]["ApproximateReceiveCount"] == count
    assert api.take(source) == []
    assert api.take_one(target, AttributeNames=["All"])["Attributes"]["ApproximateReceiveCount"] == "4"


@rows("dead.moved")
def test_more_dead_letters_than_one_receive_moves(api, make):
    target = make()
    source = make(dead_letters=(target, 1))
    for start in range(0, 150, 10):
        api.call("SendMessageBatch", QueueUrl=source, Entries=[{"Id": f"e{n}", "MessageBody": f"m{n}"} for n in range(start, start + 10)])
    handles = []
    while messages := api.take(source, VisibilityTimeout=60):
        handles += [message["ReceiptHandle"] for message in messages]
    for handle in handles:
        api.hide(source, handle, 0)
    assert api.take(source) == []
    wait_until(lambda: api.counts(target)[0] == 150 and api.counts(source) == (0, 0, 0), 20, "150 dead letters")


@rows("dead.fifo", "dead.fifo-ids")
def test_a_dead_letter_of_a_group(api, make):
    target = make.fifo()
    source = make.fifo(dead_letters=(target, 1))
    api.post(source, "before", MessageGroupId="g")
    api.delete(source, api.take_one(source)["ReceiptHandle"])
    for body in ("m1", "m2"):
        api.post(source, body, MessageGroupId="g")
    first = api.take_one(source, VisibilityTimeout=0, AttributeNames=["All"])
    assert first["Body"] == "m1"
    assert api.bodies(source, WaitTimeSeconds=5) == ["m2"]
    moved = api.take_one(target, AttributeNames=["All"])
    assert (moved["Body"], moved["MessageId"]) == ("m1", first["MessageId"])
    found = moved["Attributes"]
    assert found["MessageGroupId"] == "g" and found["MessageDeduplicationId"] == moved["MessageId"]
    assert len(found["SequenceNumber"]) == 20 and found["SequenceNumber"] != first["Attributes"]["SequenceNumber"]
    assert found["DeadLetterQueueSourceArn"] == api.arn(source) and found["ApproximateReceiveCount"] == "2"


@rows("dead.no-target")
def test_the_target_is_gone(api, make):
    target = make()
    source = make(dead_letters=(target, 1))
    api.call("DeleteQueue", QueueUrl=target)
    api.post(source, "still here")
    for _ in range(3):
        assert api.bodies(source, VisibilityTimeout=0) == ["still here"]


@rows("dead.no-delay")
def test_the_target_s_delay_does_not_apply(api, make):
    target = make(DelaySeconds=900)
    source = make(dead_letters=(target, 1))
    api.post(source, "at once", DelaySeconds=0)
    api.take_one(source, VisibilityTimeout=0)
    assert api.take(source) == []
    assert api.counts(target) == (1, 0, 0)


@rows("dead.lowered")
def test_a_lower_count(api, make):
    target = make()
    source = make(dead_letters=(target, 10))
    api.post(source)
    for _ in range(3):
        api.take_one(source, VisibilityTimeout=0)
    api.set(source, RedrivePolicy=json.dumps({"deadLetterTargetArn": api.arn(target), "maxReceiveCount": 2}))
    assert api.take(source) == []
    assert api.take_one(target, AttributeNames=["ApproximateReceiveCount"])["Attributes"] == {"ApproximateReceiveCount": "4"}


@rows("dead.itself")
def test_a_queue_that_is_its_own(api, make):
    queue = make()
    api.set(queue, RedrivePolicy=json.dumps({"deadLetterTargetArn": api.arn(queue), "maxReceiveCount": 1}))
    for body in ("m1", "m2"):
        api.post(queue, body)
    assert api.bodies(queue, 1, VisibilityTimeout=0) == ["m1"]
    assert api.bodies(queue, 1) == ["m2"]
    again = api.take_one(queue, AttributeNames=["All"])
    assert (again["Body"], again["Attributes"]["ApproximateReceiveCount"]) == ("m1", "2")
    assert again["Attributes"]["DeadLetterQueueSourceArn"] == api.arn(queue)


@rows("poll.dead-letter")
def test_a_dead_letter_wakes_a_poll(api, make, background):
    target = make()
    source = make(dead_letters=(target, 1))
    api.post(source, "dead")
    api.take_one(source, VisibilityTimeout=0)
    poll = background(lambda: api.bodies(target, WaitTimeSeconds=20))
    time.sleep(0.2)
    begun = time.monotonic()
    assert api.take(source) == []
    assert poll() == ["dead"] and time.monotonic() - begun < 5


class Redrive:
    """A dead-letter queue, and sources whose messages died into it."""

    def __init__(self, api, make, bodies, sources=1):
        self.api = api
        self.target = make()
        self.arn = api.arn(self.target)
        self.sources = [make(dead_letters=(self.target, 1)) for _ in range(sources)]
        self.ids = {}
        for n, body in enumerate(bodies):
            self.ids[body] = api.post(self.sources[n % sources], body)["MessageId"]
        for source in self.sources:
            handles = []
            while messages := api.take(source, VisibilityTimeout=60):
                handles += [message["ReceiptHandle"] for message in messages]
            for handle in handles:
                api.hide(source, handle, 0)
            assert api.take(source) == []
        wait_until(lambda: api.counts(self.target) == (len(bodies), 0, 0), 20, "all are dead letters")

    def start(self, **members):
        return self.api.call("StartMessageMoveTask", SourceArn=self.arn, **members)["TaskHandle"]

    def tasks(self, most=10):
        return self.api.call("ListMessageMoveTasks", SourceArn=self.arn, MaxResults=most)["Results"]

    def ended(self):
        return wait_until(lambda: (task := self.tasks(1)[0])["Status"] not in ("RUNNING", "CANCELLING") and task, 30, "the task ends")


@rows("move.to-sources", "move.message", "move.handle", "move.listed")
def test_back_to_the_sources(api, make, protocol):
    redrive = Redrive(api, make, [f"m{n}" for n in range(6)], sources=2)
    handle = redrive.start()
    decoded = json.loads(base64.b64decode(handle))
    assert decoded == {"taskId": decoded["taskId"], "sourceArn": redrive.arn} and uuid.UUID(decoded["taskId"])
    task = redrive.ended()
    assert set(task) == {"Status", "SourceArn", "ApproximateNumberOfMessagesMoved", "ApproximateNumberOfMessagesToMove", "StartedTimestamp"}
    assert (task["Status"], task["SourceArn"]) == ("COMPLETED", redrive.arn)
    assert (task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == (6, 6)
    assert isinstance(task["StartedTimestamp"], int) and abs(task["StartedTimestamp"] / 1000 - time.time()) < 60
    assert api.counts(redrive.target) == (0, 0, 0)
    for n, source in enumerate(redrive.sources):
        messages = api.take(source, AttributeNames=["All"])
        assert sorted(message["Body"] for message in messages) == [f"m{k}" for k in range(6) if k % 2 == n]
        for message in messages:
            assert message["MessageId"] != redrive.ids[message["Body"]]
            assert message["Attributes"]["ApproximateReceiveCount"] == "1"


@rows("move.to-destination", "move.listed", "poll.moved")
def test_to_a_destination(api, make, background):
    redrive = Redrive(api, make, ["m1", "m2"])
    destination = make()
    poll = background(lambda: api.bodies(destination, 1, WaitTimeSeconds=20))
    redrive.start(DestinationArn=api.arn(destination), MaxNumberOfMessagesPerSecond=500)
    assert poll() in (["m1"], ["m2"])
    task = redrive.ended()
    assert (task["Status"], task["DestinationArn"], task["MaxNumberOfMessagesPerSecond"]) == ("COMPLETED", api.arn(destination), 500)
    assert api.counts(destination) == (1, 1, 0)


@rows("move.to-destination", "move.listed")
def test_a_fifo_task(api, make):
    target = make.fifo()
    source = make.fifo(dead_letters=(target, 1))
    for body in ("a", "b", "c"):
        api.post(source, body, MessageGroupId="g")
    api.take(source, VisibilityTimeout=0)
    wait_until(lambda: not api.take(source) and api.counts(target)[0] == 3, 20, "three dead letters")
    for expected in (1, 2):
        api.call("StartMessageMoveTask", SourceArn=api.arn(target), **({"DestinationArn": api.arn(source)} if expected == 2 else {}))
        wait_until(lambda: api.call("ListMessageMoveTasks", SourceArn=api.arn(target))["Results"][0]["Status"] == "COMPLETED", 20, "it ends")
        assert len(api.call("ListMessageMoveTasks", SourceArn=api.arn(target), MaxResults=10)["Results"]) == expected
        assert len(api.call("ListMessageMoveTasks", SourceArn=api.arn(target))["Results"]) == 1
    assert api.bodies(source) == ["a", "b", "c"]


@rows("move.cancelled", "move.one-at-a-time", "move.listed", "move.handle-done")
def test_cancel(api, make):
    redrive = Redrive(api, make, [f"m{n}" for n in range(30)])
    handle = redrive.start(MaxNumberOfMessagesPerSecond=1)
    running = redrive.tasks(1)[0]
    assert (running["Status"], running["TaskHandle"], running["MaxNumberOfMessagesPerSecond"]) == ("RUNNING", handle, 1)
    assert outcome(api.refuses("StartMessageMoveTask", SourceArn=redrive.arn)) == (
        400, "InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
    moved = api.call("CancelMessageMoveTask", TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    task = redrive.ended()
    assert task["Status"] == "CANCELLED" and "TaskHandle" not in task
    assert moved <= task["ApproximateNumberOfMessagesMoved"] < 30
    assert sum(api.counts(redrive.target)) + sum(api.counts(redrive.sources[0])) == 30
    refused = api.refuses("CancelMessageMoveTask", TaskHandle=handle)
    assert (refused.status, refused.code) == (404, "ResourceNotFoundException")
    redrive.start()
    assert redrive.ended()["Status"] == "COMPLETED"
    assert [task["Status"] for task in redrive.tasks()] == ["COMPLETED", "CANCELLED"]
    assert api.counts(redrive.sources[0]) == (30, 0, 0)


@rows("move.in-flight")
def test_what_is_in_flight_stays(api, make):
    redrive = Redrive(api, make, ["m1", "m2", "m3"])
    held = api.take_one(redrive.target, VisibilityTimeout=600)
    redrive.start()
    task = redrive.ended()
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == ("COMPLETED", 2, 2)
    assert api.counts(redrive.target) == (0, 1, 0)
    api.delete(redrive.target, held["ReceiptHandle"])
    assert api.counts(redrive.target) == (0, 0, 0)


@rows("move.no-origin")
def test_a_message_that_came_from_nowhere(api, make):
    redrive = Redrive(api, make, [])
    api.post(redrive.target, "sent here")
    redrive.start()
    task = redrive.ended()
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert api.bodies(redrive.target) == ["sent here"]


@rows("move.destination-gone")
def test_the_destination_is_deleted(api, make):
    redrive = Redrive(api, make, [f"m{n}" for n in range(10)])
    destination = make()
    redrive.start(DestinationArn=api.arn(destination), MaxNumberOfMessagesPerSecond=1)
    api.call("DeleteQueue", QueueUrl=destination)
    task = redrive.ended()
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert "TaskHandle" not in task and api.counts(redrive.target)[0] >= 8


@rows("move.no-source", "move.no-dead-letter-queue", "move.source-absent", "move.malformed-arn", "move.same-arn", "move.other-kind", "move.rate",
      "error.shapes")
def test_tasks_that_cannot_start(api, make, queue, fifo):
    redrive = Redrive(api, make, ["m1"])
    missing = "arn:aws:sqs:us-east-1:000000000000:nothing"
    form = "You must use this format to specify the {}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
    bad = 400, "InvalidParameterValue"
    for members, expected in (
            ({}, (400, "MissingParameter", "The request must contain the parameter SourceArn.")),
            ({"SourceArn": "nonsense"}, (*bad, form.format("SourceArn"))),
            ({"SourceArn": redrive.arn, "DestinationArn": "nonsense"}, (*bad, form.format("DestinationArn"))),
            ({"SourceArn": missing}, (404, "ResourceNotFoundException", NO_SOURCE)),
            ({"SourceArn": redrive.arn, "DestinationArn": missing}, (404, "ResourceNotFoundException", NO_SOURCE.replace("SourceArn", "DestinationArn"))),
            ({"SourceArn": api.arn(queue)}, (*bad, "Source queue must be configured as a Dead Letter Queue.")),
            ({"SourceArn": redrive.arn, "DestinationArn": redrive.arn}, (*bad, "Source queue arn and destination queue arn cannot be the same.")),
            ({"SourceArn": redrive.arn, "DestinationArn": api.arn(fifo)},
             (*bad, "The source queue and destination queue must be of the same queue type.")),
            *(({"SourceArn": redrive.arn, "MaxNumberOfMessagesPerSecond": rate},
               (*bad, "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500."))
              for rate in (0, 501, -1))):
        assert outcome(api.refuses("StartMessageMoveTask", **members)) == expected, members
    assert api.call("ListMessageMoveTasks", SourceArn=redrive.arn) == {}
    assert api.counts(redrive.target) == (1, 0, 0)


@rows("move.no-source", "move.source-absent")
def test_lists_that_cannot_be(api, queue):
    assert outcome(api.refuses("ListMessageMoveTasks", SourceArn="arn:aws:sqs:us-east-1:000000000000:nothing")) == (
        404, "ResourceNotFoundException", NO_SOURCE)
    assert api.refuses("ListMessageMoveTasks").code == "MissingParameter"
    for value in (11, -1):
        assert api.refuses("ListMessageMoveTasks", SourceArn=api.arn(queue), MaxResults=value).code == "InvalidParameterValue"
    assert api.call("ListMessageMoveTasks", SourceArn=api.arn(queue), MaxResults=10) == {}


@rows("move.handle-invalid", "move.handle-unknown")
def test_handles_of_tasks(api, make):
    redrive = Redrive(api, make, [])

    def handle(task, arn):
        return base64.b64encode(json.dumps({"taskId": task, "sourceArn": arn}, separators=(",", ":")).encode()).decode()

    for text in ("x", "", "e30=", "!!!!", base64.b64encode(b"[]").decode(), handle(str(uuid.uuid4()), "nonsense")):
        assert outcome(api.refuses("CancelMessageMoveTask", TaskHandle=text)) == (
            400, "InvalidParameterValue", "Value for parameter TaskHandle is invalid."), text
    assert outcome(api.refuses("CancelMessageMoveTask")) == (400, "MissingParameter", "The request must contain the parameter TaskHandle.")
    assert outcome(api.refuses("CancelMessageMoveTask", TaskHandle=handle(str(uuid.uuid4()), "arn:aws:sqs:us-east-1:000000000000:nothing"))) == (
        404, "ResourceNotFoundException", NO_SOURCE)
    for task in (str(uuid.uuid4()), "no-uuid"):
        assert outcome(api.refuses("CancelMessageMoveTask", TaskHandle=handle(task, redrive.arn))) == (
            404, "ResourceNotFoundException", "Task does not exist.")


@rows("move.other-account")
def test_tasks_of_others(signed, name):
    mine, theirs, elsewhere = signed("admin"), signed("other"), signed("admin", "eu-central-1")
    arns = []
    for account in (mine, theirs, elsewhere):
        target = account.create(f"{name}-dead")
        arns.append(account.arn(target))
        source = account.create(name, RedrivePolicy=json.dumps({"deadLetterTargetArn": arns[-1], "maxReceiveCount": 1}))
        for n in range(3):
            account.post(source, f"m{n}")
        account.take(source, VisibilityTimeout=0)
        assert account.take(source) == [] and account.counts(target) == (3, 0, 0)
    handle = theirs.call("StartMessageMoveTask", SourceArn=arns[1], MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    for foreign in arns[1:]:
        for refused in (mine.refuses("StartMessageMoveTask", SourceArn=foreign), mine.refuses("ListMessageMoveTasks", SourceArn=foreign)):
            assert outcome(refused) == (404, "ResourceNotFoundException", NO_SOURCE)
        refused = mine.refuses("StartMessageMoveTask", SourceArn=arns[0], DestinationArn=foreign)
        assert outcome(refused) == (404, "ResourceNotFoundException", NO_SOURCE.replace("SourceArn", "DestinationArn"))
    assert outcome(mine.refuses("CancelMessageMoveTask", TaskHandle=handle)) == (404, "ResourceNotFoundException", NO_SOURCE)
    assert theirs.call("CancelMessageMoveTask", TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] <= 3


@rows("move.hundred")
def test_a_hundred_tasks(signed, name):
    theirs, arns = signed("other"), []
    for n in range(101):
        arns.append(theirs.arn(theirs.create(f"{name}-d{n}")))
        theirs.create(f"{name}-s{n}", RedrivePolicy=json.dumps({"deadLetterTargetArn": arns[-1], "maxReceiveCount": 1}))
        entries = [{"Id": f"e{k}", "MessageBody": "x"} for k in range(10)]
        theirs.call("SendMessageBatch", QueueUrl=f"{name}-s{n}", Entries=entries)
        theirs.take(f"{name}-s{n}", VisibilityTimeout=0)
        assert theirs.take(f"{name}-s{n}") == []
    handles, refused = [], None
    for arn in arns:
        try:
            handles.append(theirs.call("StartMessageMoveTask", SourceArn=arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"])
        except Refused as error:
            refused = error
    for handle in handles:
        theirs.send("CancelMessageMoveTask", {"TaskHandle": handle})
    assert len(handles) == 100 and (refused.status, refused.code) == (403, "OverLimit")
