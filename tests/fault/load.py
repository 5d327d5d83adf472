"""Clients that work several queues on threads of their own and write a History, however often the server goes away under them."""

import collections
import hashlib
import json
import random
import socket
import struct
import threading
import time

from history import FAILED, OK, UNKNOWN, Change, Delete, Delivery, History, Move, Purge, Queue, QueueChange, Receive, Send
from sqs_wire import NotSent, Refused, Sqs, Unknown

LEASES = (1, 2, 8)
EXTENSION = 3
DELAYS = (1, 2)
LONGEST = max(LEASES) + EXTENSION  # what may hide a message
SIZES = (60, 300, 1024, 4000, 60_000)
SIZE_WEIGHTS = (20, 30, 40, 9, 1)
HANG_SECONDS = 40
PLAIN, LINE, TRIED, TRIED_LINE, SWEPT, DEAD, DEAD_LINE = "plain", "line.fifo", "tried", "tried.fifo", "swept", "dead", "dead.fifo"
QUEUES = (Queue(PLAIN), Queue(LINE, fifo=True), Queue(TRIED, max_receives=2, dead_letters=DEAD), Queue(SWEPT), Queue(DEAD),
          Queue(TRIED_LINE, fifo=True, max_receives=2, dead_letters=DEAD_LINE), Queue(DEAD_LINE, fifo=True))
SENT_TO = ((PLAIN, LINE, TRIED, TRIED_LINE, SWEPT), (35, 30, 20, 10, 5))
RECEIVED_FROM = ((PLAIN, LINE, TRIED, TRIED_LINE, SWEPT, DEAD, DEAD_LINE), (35, 30, 16, 8, 4, 4, 3))
BRIEF = ("brief-0", "brief-1", "brief-2")


def body_of(token):
    """The body that belongs to a token; its size is part of the token."""
    size = int(token.split("-")[-1])
    seed = hashlib.sha256(token.encode()).hexdigest()
    return (f"{token} " + seed * (size // len(seed) + 1))[:max(size, len(token) + 1)]


def attributes_of(token):
    """One token in four has message attributes, (name, type, value) in order of names."""
    seed = hashlib.sha256(token.encode()).digest()
    return (("count", "Number", str(seed[1])), ("token", "String", token)) if seed[0] % 4 == 0 else ()


def md5_of_attributes(attributes):
    digest = hashlib.md5()
    for name, kind, value in attributes:
        for part in (name, kind):
            digest.update(struct.pack(">I", len(part)) + part.encode())
        digest.update(b"\1" + struct.pack(">I", len(value)) + value.encode())
    return digest.hexdigest()


def delivery_of(message):
    token = message["Body"].partition(" ")[0]
    told = message["Attributes"]
    attributes = tuple((name, value["DataType"], value["StringValue"]) for name, value in sorted(message.get("MessageAttributes", {}).items()))
    try:
        intact = (message["Body"] == body_of(token) and message["MD5OfBody"] == hashlib.md5(message["Body"].encode()).hexdigest() and
                  attributes == attributes_of(token) and (not attributes or message["MD5OfMessageAttributes"] == md5_of_attributes(attributes)))
    except ValueError:
        intact = False
    return Delivery(token, message["MessageId"], int(told["ApproximateReceiveCount"]), intact, told.get("MessageGroupId", ""),
                    int(told.get("SequenceNumber", 0)))


class Wire(Sqs):
    """The same client on a bare socket: several times as fast."""

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def raw(self, action, body):
        if self.connection is None:
            try:
                self.connection = socket.create_connection((self.host, self.port), timeout=self.timeout)
            except OSError as error:
                raise NotSent(str(error)) from None
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
                                    b"X-Amz-Target: AmazonSQS.%s\r\nContent-Length: %d\r\n\r\n%s" % (action.encode(), len(body), body))
            received = b""
            while (end := received.find(b"\r\n\r\n")) < 0:
                received += self._more()
            lines = received[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            parts, missing = [received[end + 4:]], int(headers.get("content-length", 0)) - (len(received) - end - 4)
            while missing > 0:
                parts.append(self._more())
                missing -= len(parts[-1])
        except TimeoutError:
            self.close()
            raise AssertionError(f"{action} was not answered within {self.timeout} s") from None
        except OSError as error:
            self.close()
            raise Unknown(str(error)) from None
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split()[1]), headers, b"".join(parts)

    def _more(self):
        chunk = self.connection.recv(262_144)
        if not chunk:
            raise ConnectionResetError("closed before the answer was whole")
        return chunk


class Client:
    """What all clients share: calls that become events, and a list of what must be tried again after a restart."""

    def __init__(self, load, number):
        self.load, self.number = load, number
        self.history = History()
        self.chance = random.Random(f"{load.seed}/{number}")
        self.again = collections.deque()
        self.sqs, self.broken = None, True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def step(self):
        raise NotImplementedError

    def _run(self):
        load = self.load
        try:
            while not load.stopping.is_set():
                if not load.up.wait(0.05) or load.stopping.is_set():
                    continue
                self.sqs, self.broken = Wire(load.url, timeout=HANG_SECONDS), False
                while load.up.is_set() and not load.stopping.is_set() and not self.broken:
                    if self.again:
                        self.again.popleft()()
                    else:
                        self.step()
                self.sqs.close()
                if self.broken:
                    time.sleep(0.005)
        except Exception as error:  # a client that dies must fail the test, not shorten it
            load.failures.append(error)

    def attempt(self, action, refusable=False, **members):
        """(outcome, answer, invoked, returned). A refusal other than 503 is an error unless it is `refusable`."""
        invoked, outcome, answer, sent = time.monotonic(), OK, {}, True
        try:
            answer = self.sqs.call(action, **members)
        except Unknown:
            outcome, self.broken = UNKNOWN, True
        except NotSent:
            outcome, self.broken, sent = FAILED, True, False
        except Refused as error:
            if error.status != 503 and not (refusable and 400 <= error.status < 500):
                raise
            outcome = FAILED
            self.load.refused += error.status == 503
            time.sleep(0.002)
        self.history.requests[outcome] += sent
        return outcome, answer, invoked, time.monotonic()

    def new_token(self):
        return f"{self.number}-{self.chance.getrandbits(64):016x}-{self.chance.choices(SIZES, SIZE_WEIGHTS)[0]}"

    def send(self, queue, entries, refusable=False):
        """entries: (token, delay, group) each."""
        parts = []
        for number, (token, delay, group) in enumerate(entries):
            part = {"Id": str(number), "MessageBody": body_of(token)}
            if attributes := attributes_of(token):
                part["MessageAttributes"] = {name: {"DataType": kind, "StringValue": value} for name, kind, value in attributes}
            if delay:
                part["DelaySeconds"] = delay
            if group:
                part.update(MessageGroupId=group, MessageDeduplicationId=token)
            parts.append(part)
        if len(parts) == 1:
            del parts[0]["Id"]
            outcome, answer, invoked, returned = self.attempt("SendMessage", refusable, QueueUrl=queue, **parts[0])
            done = {"0": answer}
        else:
            outcome, answer, invoked, returned = self.attempt("SendMessageBatch", refusable, QueueUrl=queue, Entries=parts)
            done = {entry["Id"]: entry for entry in answer.get("Successful", [])}
        for number, (token, delay, group) in enumerate(entries):
            entry = done.get(str(number), {})
            one = FAILED if outcome == OK and "MessageId" not in entry else outcome
            self.history.add(Send(token, invoked, returned, one, entry.get("MessageId", ""), queue, delay, group,
                                  int(entry.get("SequenceNumber", 0)), number))
        return outcome

    def receive(self, queue, lease, limit, wait, refusable=False):
        """(the message, its delivery, when it was asked for) each."""
        outcome, answer, invoked, returned = self.attempt(
            "ReceiveMessage", refusable, QueueUrl=queue, MaxNumberOfMessages=limit, VisibilityTimeout=lease, WaitTimeSeconds=wait,
            AttributeNames=["All"], MessageAttributeNames=["All"])
        messages = answer.get("Messages", [])
        deliveries = tuple(map(delivery_of, messages))
        self.history.add(Receive(invoked, returned, outcome, lease, deliveries, queue))
        return [(message["ReceiptHandle"], delivery, invoked) for message, delivery in zip(messages, deliveries)]

    def settle(self, queue, kind, held, seconds=0):
        """Deletes, or changes the visibility of, (handle, delivery, …) each; batches are one call."""
        action = "DeleteMessage" if kind is Delete else "ChangeMessageVisibility"
        more = {} if kind is Delete else {"VisibilityTimeout": seconds}
        if len(held) == 1:
            outcome, answer, invoked, returned = self.attempt(action, True, QueueUrl=queue, ReceiptHandle=held[0][0], **more)
            done = None
        else:
            outcome, answer, invoked, returned = self.attempt(f"{action}Batch", True, QueueUrl=queue, Entries=[
                {"Id": str(number), "ReceiptHandle": each[0], **more} for number, each in enumerate(held)])
            done = {entry["Id"] for entry in answer.get("Successful", [])} if outcome == OK else None
        for number, (_, delivery, *_) in enumerate(held):
            one = FAILED if done is not None and str(number) not in done else outcome
            which = {"message_id": delivery.message_id, "count": delivery.count, "queue": queue}
            if kind is Delete:
                self.history.add(Delete(delivery.token, invoked, returned, one, **which))
                self.load.count(queue, -(one == OK))
            else:
                self.history.add(Change(delivery.token, invoked, returned, one, seconds, **which))
        return outcome


class Sender(Client):
    """Sends to standard queues once; to FIFO queues, as an SDK does, until it knows the outcome, and now and then once more."""

    def __init__(self, load, number):
        super().__init__(load, number)
        self.latest = collections.deque(maxlen=20)

    def step(self):
        queue = self.chance.choices(*SENT_TO)[0]
        if self.load.backlog[queue] > (self.load.backlog_max if queue != SWEPT else self.load.backlog_max // 10):
            time.sleep(0.002)
            return
        if self.chance.random() < 0.01:  # refused for certain: must never be seen
            self.send(PLAIN, [(self.new_token(), 901, "")], refusable=True)
            return
        fifo = queue.endswith(".fifo")
        if fifo and self.latest and self.load.sends_again and self.chance.random() < 0.05:
            self.send_line(*self.chance.choice(self.latest))
            return
        entries = []
        for _ in range(self.chance.choice((1, 1, 5, 10))):
            delay = self.chance.choice(DELAYS) if not fifo and self.chance.random() < 0.05 else 0
            entries.append((self.new_token(), delay, self.group() if fifo else ""))
        if fifo:
            self.send_line(queue, entries)
        elif self.send(queue, entries) == OK:
            self.load.count(queue, len(entries))

    def group(self):
        """Three groups are its own, two are everyone's."""
        which = self.chance.randrange(5)
        return f"own-{self.number}-{which}" if which < 3 else f"shared-{which}"

    def send_line(self, queue, entries):
        outcome = self.send(queue, entries)
        if self.broken and self.load.sends_again:
            self.again.append(lambda: self.send_line(queue, entries))
        elif outcome == OK and (queue, entries) not in self.latest:
            self.load.count(queue, len(entries))
            self.latest.append((queue, entries))


class Receiver(Client):
    def step(self):
        queue = self.chance.choices(*RECEIVED_FROM)[0]
        fifo, dead = queue.endswith(".fifo"), queue in (DEAD, DEAD_LINE)
        lease = self.chance.choice(LEASES[:2] if fifo or queue == TRIED else LEASES)
        held = self.receive(queue, lease, self.chance.choice((1, 3, 10, 10)), self.chance.choice((0, 0, 0, 1)) if not dead else 0)
        if self.broken or not held:
            return
        fates = {"delete": [], "release": [], "extend": [], "leave": []}
        weights = (30, 60, 5, 5) if dead else (45, 35, 5, 15) if queue in (TRIED, TRIED_LINE) else (80, 12, 3, 5)
        for each in held:
            fates[self.chance.choices(tuple(fates), weights)[0]].append(each)
        self.delete(queue, fates["delete"])
        for fate, seconds in (("release", 0), ("extend", EXTENSION)):
            # Only while the lease certainly runs: an expired handle of a standard queue acts on another's lease.
            if fates[fate] and not self.broken and time.monotonic() < held[0][2] + lease - 0.3:
                self.settle(queue, Change, fates[fate], seconds)

    def delete(self, queue, held):
        parts = [held] if len(held) > 1 and self.chance.random() < 0.7 else [[each] for each in held]
        for number, part in enumerate(parts):
            self.settle(queue, Delete, part)
            if self.broken:
                left = [each for later in parts[number:] for each in later]
                if self.chance.random() < 0.7:  # a handle from before a kill still works
                    self.again.append(lambda: self.delete(queue, left))
                return


class Keeper(Client):
    """Starts move tasks, purges, creates and deletes queues."""

    def step(self):
        deed = self.chance.choice((self.move, self.purge, self.brief_life, self.brief_life))
        deed()
        time.sleep(0.03)

    def move(self):
        queue = self.chance.choice((DEAD, DEAD_LINE))
        outcome, _, invoked, returned = self.attempt("StartMessageMoveTask", True, SourceArn=f"arn:aws:sqs:us-east-1:000000000000:{queue}")
        self.history.add(Move(invoked, returned, outcome, queue))

    def purge(self):
        outcome, _, invoked, returned = self.attempt("PurgeQueue", QueueUrl=SWEPT)
        self.history.add(Purge(invoked, returned, outcome, SWEPT))
        if outcome == OK:
            self.load.backlog[SWEPT] = 0
        time.sleep(0.1)

    def brief_life(self):
        name = self.chance.choice(BRIEF)
        outcome, _, invoked, returned = self.attempt("CreateQueue", QueueName=name)
        self.history.add(QueueChange(invoked, returned, outcome, True, name))
        if self.broken or self.send(name, [(self.new_token(), 0, "") for _ in range(3)], refusable=True) != OK:
            return
        held = self.receive(name, 1, 2, 0, refusable=True)
        if held and not self.broken:
            self.settle(name, Delete, held[:1])
        if not self.broken and self.chance.random() < 0.7:
            outcome, _, invoked, returned = self.attempt("DeleteQueue", True, QueueUrl=name)
            self.history.add(QueueChange(invoked, returned, outcome, False, name))
            self.history.add(Purge(invoked, returned, outcome, name))


class Load:
    """Threads run while the server comes and goes: serving(url) and gone() tell them. With `sends_again` FIFO messages are sent
    again: when their outcome is unknown, and now and then."""

    def __init__(self, senders=8, receivers=8, seed=1, backlog_max=600, sends_again=True):
        self.seed, self.backlog_max, self.sends_again = seed, backlog_max, sends_again
        self.url, self.refused = None, 0
        self.up, self.stopping = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.backlog = collections.Counter()
        self.failures, self.extra_histories = [], []
        kinds = [Sender] * senders + [Receiver] * receivers + [Keeper]
        self.clients = [kind(self, number) for number, kind in enumerate(kinds)]

    @staticmethod
    def create_queues(sqs):
        for queue in sorted(QUEUES, key=lambda queue: bool(queue.dead_letters)):
            attributes = {"FifoQueue": "true"} if queue.fifo else {}
            if queue.dead_letters:
                attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{queue.dead_letters}",
                                                          "maxReceiveCount": queue.max_receives})
            sqs.create(queue.name, **attributes)

    def count(self, queue, change):
        with self.lock:
            self.backlog[queue] += change

    def start(self):
        for client in self.clients:
            client.thread.start()

    def serving(self, url):
        self.url = url
        self.up.set()

    def gone(self):
        self.up.clear()

    def finish(self):
        """Ends the threads; the history of all of them."""
        self.stopping.set()
        self.up.set()
        for client in self.clients:
            client.thread.join(HANG_SECONDS + 10)
            assert not client.thread.is_alive(), "a client hangs"
        assert not self.failures, repr(self.failures[0])
        whole = History(QUEUES)
        for history in [*(client.history for client in self.clients), *self.extra_histories]:
            whole.extend(history)
        return whole


def drain(url, queues, seconds, history):
    """Receives and deletes until nothing has come for a round and `seconds` are over, the longest lease included; the receives."""
    client = Client(Load(0, 0), "drain")
    client.history, client.sqs, client.broken = history, Wire(url, timeout=HANG_SECONDS), False
    first, deadline = len(history.receives), time.monotonic() + seconds
    while True:
        begun, came = time.monotonic(), 0
        for queue in queues:
            while held := client.receive(queue, 60, 10, 0):
                came += len(held)
                client.settle(queue, Delete, held)
        assert not client.broken, "the server went away during the drain"
        if not came and begun > deadline:
            client.sqs.close()
            return history.receives[first:]
        time.sleep(0.02)
