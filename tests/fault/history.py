"""What clients saw of a server that was killed, paused or starved: the events, and the history that keeps them.

Every call is written down with the time it was invoked and the time its answer was there, and with one of three outcomes:
OK, FAILED (certainly did not happen), UNKNOWN (no whole answer: may have happened, at any time until its connection was
gone). Times are of one monotonic clock, in seconds. Each message carries a token of its own: a standard queue is sent a token
once, a FIFO queue may be sent it again, with the token as deduplication id. history_check.py has the rules.
"""

import collections
import dataclasses

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"


@dataclasses.dataclass(slots=True)
class Queue:
    """What the rules have to know of a queue. `dead_letters` names the queue that takes what was received `max_receives` times."""
    name: str
    fifo: bool = False
    max_receives: int = 0
    dead_letters: str = ""


@dataclasses.dataclass(slots=True)
class Send:
    token: str
    invoked: float
    returned: float
    outcome: str
    message_id: str = ""
    queue: str = "q"
    delay: float = 0.0
    group: str = ""
    sequence: int = 0
    position: int = 0  # in its batch


@dataclasses.dataclass(slots=True)
class Delivery:
    token: str
    message_id: str
    count: int
    intact: bool = True  # body, attributes and MD5s are those of the token
    group: str = ""
    sequence: int = 0


@dataclasses.dataclass(slots=True)
class Receive:
    invoked: float
    returned: float
    outcome: str
    lease: float  # seconds that were asked for
    deliveries: tuple = ()
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class Delete:
    """With the handle of the delivery that had this id and count."""
    token: str
    invoked: float
    returned: float
    outcome: str
    message_id: str = ""
    count: int = 1
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class Change:
    """ChangeMessageVisibility with the handle of the delivery that had this id and count."""
    token: str
    invoked: float
    returned: float
    outcome: str
    seconds: float = 0.0
    message_id: str = ""
    count: int = 1
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class Purge:
    """PurgeQueue; or DeleteQueue, which takes the messages away as well."""
    invoked: float
    returned: float
    outcome: str
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class QueueChange:
    """CreateQueue (`exists` is what it leaves behind) or DeleteQueue."""
    invoked: float
    returned: float
    outcome: str
    exists: bool
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class Move:
    """StartMessageMoveTask from the dead-letter queue `queue` to where its messages came from."""
    invoked: float
    returned: float
    outcome: str
    queue: str = "q"


@dataclasses.dataclass(slots=True)
class Restart:
    launched: float
    ready: float
    data_bytes: int = 0


@dataclasses.dataclass(slots=True)
class Quiet:
    """What GetQueueAttributes told when nobody worked any more, before the drain: visible, in flight, delayed."""
    counts: tuple
    queue: str = "q"


LISTS = {Send: "sends", Receive: "receives", Delete: "deletes", Change: "changes", Purge: "purges", QueueChange: "queue_changes",
         Move: "moves", Restart: "restarts", Quiet: "quiet"}


class History:
    def __init__(self, queues=()):
        self.queues = {queue.name: queue for queue in queues}
        for name in LISTS.values():
            setattr(self, name, [])
        self.requests = collections.Counter()  # outcomes
        self.serving = []                      # (from, to): the server was ready, and not stopped by a signal
        self.leaps = []                        # times of starts before which the wall clock was set forward
        self.listed = None                     # names that ListQueues told at the end

    def extend(self, other):
        for name in LISTS.values():
            getattr(self, name).extend(getattr(other, name))
        self.requests.update(other.requests)

    def add(self, event):
        getattr(self, LISTS[type(event)]).append(event)

    def rules_of(self, name):
        return self.queues.get(name) or Queue(name)

    def source_of(self, name):
        """The queue whose dead letters go to `name`; None for most queues."""
        return next((queue for queue in self.queues.values() if queue.dead_letters == name), None)
