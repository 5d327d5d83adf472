"""Clients that work one queue on several threads and write a History, however often the server is killed under them."""

import hashlib
import random
import threading
import time

from history import FAILED, OK, UNKNOWN, Delete, Delivery, History, Receive, Release, Send
from sqs_wire import NotSent, Refused, Sqs, Unknown

LEASES = (1, 2, 8)
SIZES = (60, 300, 1024, 4000, 60_000)
SIZE_WEIGHTS = (20, 30, 40, 9, 1)


def body_of(token):
    """The body that belongs to a token; its size is part of the token."""
    size = int(token.split("-")[-1])
    seed = hashlib.sha256(token.encode()).hexdigest()
    return (f"{token} " + seed * (size // len(seed) + 1))[:max(size, len(token) + 1)]


class Load:
    """`queue` by name. Threads run while the server comes and goes: serving(url) and gone() tell them."""

    def __init__(self, queue, senders=4, consumers=4, seed=1, backlog_max=2000):
        self.queue, self.seed, self.backlog_max = queue, seed, backlog_max
        self.url = None
        self.up = threading.Event()
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.backlog = 0
        self.histories, self.failures, self.threads = [], [], []
        for number in range(senders + consumers):
            self.threads.append(threading.Thread(target=self._run, args=(number, number < senders), daemon=True))

    def start(self):
        for thread in self.threads:
            thread.start()

    def serving(self, url):
        self.url = url
        self.up.set()

    def gone(self):
        self.up.clear()

    def finish(self):
        """Ends the threads; the history of all of them."""
        self.stopping.set()
        self.up.set()
        for thread in self.threads:
            thread.join(90)
            assert not thread.is_alive(), "a client hangs"
        assert not self.failures, self.failures[0]
        whole = History()
        for history in self.histories:
            whole.extend(history)
        return whole

    def _run(self, number, sends):
        history = History()
        with self.lock:
            self.histories.append(history)
        chance = random.Random(f"{self.seed}/{number}")
        step = self._send if sends else self._consume
        try:
            while not self.stopping.is_set():
                if not self.up.wait(0.05) or self.stopping.is_set():
                    continue
                sqs = Sqs(self.url, timeout=30)
                try:
                    while self.up.is_set() and not self.stopping.is_set():
                        step(sqs, history, chance, number)
                except (NotSent, Unknown):
                    time.sleep(0.005)
                finally:
                    sqs.close()
        except Exception as error:  # a client that dies must fail the test, not shorten it
            self.failures.append(error)

    def _attempt(self, sqs, action, **members):
        """(outcome, answer, invoked, returned, error or None)"""
        invoked = time.time()
        try:
            return OK, sqs.call(action, QueueUrl=self.queue, **members), invoked, time.time(), None
        except Unknown as error:
            return UNKNOWN, {}, invoked, time.time(), error
        except NotSent as error:
            return FAILED, {}, invoked, time.time(), error
        except Refused as error:
            if error.status not in (503,):
                raise
            return FAILED, {}, invoked, time.time(), None

    def _send(self, sqs, history, chance, number):
        if self.backlog > self.backlog_max:
            time.sleep(0.002)
            return
        tokens = [f"{number}-{chance.getrandbits(64):016x}-{chance.choices(SIZES, SIZE_WEIGHTS)[0]}" for _ in range(chance.choice((1, 1, 5, 10)))]
        if len(tokens) == 1:
            outcome, answer, invoked, returned, error = self._attempt(sqs, "SendMessage", MessageBody=body_of(tokens[0]))
            entries = {"0": answer}
        else:
            outcome, answer, invoked, returned, error = self._attempt(
                sqs, "SendMessageBatch", Entries=[{"Id": str(n), "MessageBody": body_of(token)} for n, token in enumerate(tokens)])
            entries = {entry["Id"]: entry for entry in answer.get("Successful", [])}
        for n, token in enumerate(tokens):
            entry = entries.get(str(n), {})
            one = FAILED if outcome == OK and "MessageId" not in entry else outcome
            history.add(Send(token, invoked, returned, one, entry.get("MessageId", "")))
        if outcome == OK:
            with self.lock:
                self.backlog += len(entries)
        if error:
            raise error

    def _consume(self, sqs, history, chance, _):
        lease, limit = chance.choice(LEASES), chance.choice((1, 3, 10, 10))
        outcome, answer, invoked, returned, error = self._attempt(
            sqs, "ReceiveMessage", MaxNumberOfMessages=limit, VisibilityTimeout=lease, WaitTimeSeconds=chance.choice((0, 0, 1)),
            AttributeNames=["ApproximateReceiveCount"])
        messages = answer.get("Messages", [])
        history.add(Receive(invoked, returned, outcome, lease, limit, tuple(map(delivery_of, messages))))
        if error:
            raise error
        deleted, released = [], []
        for message in messages:
            fate = chance.random()
            if fate < 0.75:
                deleted.append(message)
            elif fate < 0.85:
                released.append(message)
        if len(deleted) > 1 and chance.random() < 0.7:
            self._settle(sqs, history, Delete, deleted, "DeleteMessageBatch", Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(deleted)])
        else:
            for message in deleted:
                self._settle(sqs, history, Delete, [message], "DeleteMessage", ReceiptHandle=message["ReceiptHandle"])
        for message in released:
            self._settle(sqs, history, Release, [message], "ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    def _settle(self, sqs, history, kind, messages, action, **members):
        outcome, answer, invoked, returned, error = self._attempt(sqs, action, **members)
        done = {entry["Id"] for entry in answer["Successful"]} if "Successful" in answer else None
        for n, message in enumerate(messages):
            one = FAILED if done is not None and str(n) not in done else outcome
            history.add(kind(message["Body"].partition(" ")[0], invoked, returned, one))
            if kind is Delete and one == OK:
                with self.lock:
                    self.backlog -= 1
        if error:
            raise error


def delivery_of(message):
    token = message["Body"].partition(" ")[0]
    intact = message["Body"] == body_of(token) and message["MD5OfBody"] == hashlib.md5(message["Body"].encode()).hexdigest()
    return Delivery(token, message["MessageId"], int(message["Attributes"]["ApproximateReceiveCount"]), intact)


def drain(url, queue, seconds):
    """Receives without deleting, each message once, until nothing has come after `seconds`, the longest lease included."""
    sqs = Sqs(url)
    rounds, deadline = [], time.time() + seconds
    while True:
        invoked = time.time()
        answer = sqs.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=3600, WaitTimeSeconds=1,
                          AttributeNames=["ApproximateReceiveCount"])
        messages = answer.get("Messages", [])
        rounds.append(Receive(invoked, time.time(), OK, 3600, 10, tuple(map(delivery_of, messages))))
        if not messages and invoked > deadline:
            sqs.close()
            return rounds
