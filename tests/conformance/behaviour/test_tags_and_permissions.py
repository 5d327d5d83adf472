"""TagQueue, UntagQueue, ListQueueTags; AddPermission, RemovePermission."""

import json

import pytest
from row_catalogue import rows

SHARED = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue",
          "ReceiveMessage", "SendMessage"]


def outcome(refused):
    return refused.status, refused.code, refused.message


def tags(api, queue):
    return api.call("ListQueueTags", QueueUrl=queue).get("Tags", {})


@rows("tag.merge", "tags.empty", "untag.unknown")
def test_tags(api, queue):
    assert api.call("ListQueueTags", QueueUrl=queue) == {}
    assert api.call("TagQueue", QueueUrl=queue, Tags={"a": "1", "A": "2", "empty": ""}) == {}
    api.call("TagQueue", QueueUrl=queue, Tags={"a": "3", "ü é": "ö <&>"})
    assert tags(api, queue) == {"a": "3", "A": "2", "empty": "", "ü é": "ö <&>"}
    assert api.call("UntagQueue", QueueUrl=queue, TagKeys=["A", "nothing"]) == {}
    assert tags(api, queue) == {"a": "3", "empty": "", "ü é": "ö <&>"}
    api.call("UntagQueue", QueueUrl=queue, TagKeys=["a", "empty", "ü é"])
    assert api.call("ListQueueTags", QueueUrl=queue) == {}


@rows("tag.none", "untag.none")
def test_no_tags(api, queue):
    assert outcome(api.refuses("TagQueue", QueueUrl=queue, Tags={})) == (400, "MissingParameter", "The request must contain the parameter Tags.")
    assert outcome(api.refuses("UntagQueue", QueueUrl=queue, TagKeys=[])) == (
        400, "InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length.")


@rows("tag.many")
def test_fifty_tags(api, queue):
    fifty = {f"k{n}": "v" for n in range(50)}
    api.call("TagQueue", QueueUrl=queue, Tags=fifty)
    api.call("TagQueue", QueueUrl=queue, Tags={"k0": "again"})
    assert outcome(api.refuses("TagQueue", QueueUrl=queue, Tags={"k0": "no", "k50": "v"})) == (
        400, "InvalidParameterValue", f"Too many tags added for queue {queue.rsplit('/', 1)[1]}.")
    assert tags(api, queue) == {**fifty, "k0": "again"}


@rows("tag.lengths")
def test_lengths(api, queue):
    api.call("TagQueue", QueueUrl=queue, Tags={"ü" * 128: "ü" * 256})
    for bad in ({"x" * 129: "v"}, {"k": "x" * 257}, {"": "v"}):
        assert api.refuses("TagQueue", QueueUrl=queue, Tags={"good": "v", **bad}).code == "InvalidParameterValue", bad
    assert list(tags(api, queue)) == ["ü" * 128]


def add(api, queue, label, accounts=("111122223333",), actions=("SendMessage",)):
    return api.call("AddPermission", QueueUrl=queue, Label=label, AWSAccountIds=list(accounts), Actions=list(actions))


def refused_permission(api, queue, **members):
    given = {"Label": "label", "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage"], **members}
    before = api.attributes(queue, "Policy")
    refused = api.refuses("AddPermission", QueueUrl=queue, **{name: value for name, value in given.items() if value is not None})
    assert api.attributes(queue, "Policy") == before
    return outcome(refused)


@rows("permission.policy", "permission.removed")
def test_permissions(api, queue):
    arn = api.arn(queue)
    assert add(api, queue, "one") == {}
    add(api, queue, "two", ("111122223333", "444455556666"), SHARED[:7])
    policy = json.loads(api.attributes(queue, "Policy")["Policy"])
    assert (policy["Version"], policy["Id"], len(policy["Statement"])) == ("2008-10-17", f"{arn}/SQSDefaultPolicy", 2)
    one, two = policy["Statement"]
    assert one == {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "SQS:SendMessage", "Resource": arn}
    assert sorted(two["Principal"]["AWS"]) == ["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root"]
    assert two["Action"] == [f"SQS:{action}" for action in SHARED[:7]]
    api.call("RemovePermission", QueueUrl=queue, Label="one")
    assert [statement["Sid"] for statement in json.loads(api.attributes(queue, "Policy")["Policy"])["Statement"]] == ["two"]
    assert api.call("RemovePermission", QueueUrl=queue, Label="two") == {}
    assert api.attributes(queue, "Policy") == {}


@rows("permission.policy")
@pytest.mark.parametrize("action", ["*", *SHARED])
def test_actions_that_can_be_shared(api, queue, action):
    add(api, queue, "l", actions=[action])
    assert json.loads(api.attributes(queue, "Policy")["Policy"])["Statement"][0]["Action"] == f"SQS:{action}"


@rows("permission.appended")
def test_a_policy_that_is_there(api, queue):
    own = {"Version": "2012-10-17", "Id": "mine", "Statement": [
        {"Sid": "own", "Effect": "Deny", "Principal": "*", "Action": "SQS:PurgeQueue", "Resource": "*"}]}
    api.set(queue, Policy=json.dumps(own))
    add(api, queue, "added")
    policy = json.loads(api.attributes(queue, "Policy")["Policy"])
    assert {**policy, "Statement": policy["Statement"][:1]} == own and policy["Statement"][1]["Sid"] == "added"
    api.call("RemovePermission", QueueUrl=queue, Label="added")
    assert json.loads(api.attributes(queue, "Policy")["Policy"]) == own


@rows("permission.label-twice", "permission.label")
def test_labels(api, queue):
    add(api, queue, "l")
    add(api, queue, "x" * 80)
    assert refused_permission(api, queue, Label="l") == (400, "InvalidParameterValue", "Value l for parameter Label is invalid. Reason: Already exists.")
    assert refused_permission(api, queue, Label=None) == (400, "MissingParameter", "The request must contain the parameter Label.")
    for bad in ("x" * 81, "a b", "a.b"):
        assert refused_permission(api, queue, Label=bad)[:2] == (400, "InvalidParameterValue"), bad


@rows("permission.unknown-action", "permission.owner-only", "permission.seven", "permission.none")
def test_permissions_that_cannot_be(api, queue):
    text = "Value SQS:{} for parameter ActionName is invalid. Reason: "
    assert refused_permission(api, queue, Actions=["Explode"]) == (
        400, "InvalidParameterValue", text.format("Explode") + "Please refer to the appropriate WSDL for a list of valid actions. ")
    for action in ("CreateQueue", "DeleteQueue", "SetQueueAttributes", "AddPermission", "RemovePermission", "ListQueues", "TagQueue", "UntagQueue",
                   "ListQueueTags"):
        assert refused_permission(api, queue, Actions=["SendMessage", action]) == (
            400, "InvalidParameterValue", text.format(action) + "Only the queue owner is allowed to invoke this action.")
    assert refused_permission(api, queue, Actions=SHARED) == (403, "OverLimit", "8 Actions were found, maximum allowed is 7.")
    assert refused_permission(api, queue, Actions=None)[:2] == (400, "MissingParameter")
    assert refused_permission(api, queue, AWSAccountIds=None) == (
        400, "InvalidParameterValue", "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.")


@rows("permission.statements")
def test_twenty_statements(api, queue):
    for n in range(20):
        add(api, queue, f"s{n}")
    assert refused_permission(api, queue) == (403, "OverLimit", "21 Statements were found, maximum allowed is 20.")


@rows("permission.no-label", "permission.no-label-on-policy")
def test_a_label_that_is_not_there(api, queue):
    text = "Value nothing for parameter Label is invalid. Reason: can't find label"
    assert outcome(api.refuses("RemovePermission", QueueUrl=queue)) == (400, "MissingParameter", "The request must contain the parameter Label.")
    assert outcome(api.refuses("RemovePermission", QueueUrl=queue, Label="nothing")) == (400, "InvalidParameterValue", text + ".")
    add(api, queue, "l")
    assert outcome(api.refuses("RemovePermission", QueueUrl=queue, Label="nothing")) == (400, "InvalidParameterValue", text + " on existing policy.")
    api.call("RemovePermission", QueueUrl=queue, Label="l")
    assert outcome(api.refuses("RemovePermission", QueueUrl=queue, Label="nothing")) == (400, "InvalidParameterValue", text + ".")
