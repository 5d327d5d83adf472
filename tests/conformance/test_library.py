"""The C++ library as its users have it: installed somewhere, found by CMake and pkg-config, built into the programs of
examples/orders, which are run against a real server."""

import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from cli_runs import Shell
from ferry_server import FerryServer, binary, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRICT = "-Wall -Wextra -Wpedantic -Wshadow -Werror"


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where the build was installed, and moved to afterwards."""
    folder = tmp_path_factory.mktemp("library")
    run("cmake", "--install", pathlib.Path(binary()).parent, "--prefix", folder / "first")
    return pathlib.Path(shutil.move(folder / "first", folder / "moved"))


@pytest.fixture(scope="module")
def programs(prefix):
    build = prefix.parent / "build"
    run("cmake", "-S", ROOT / "examples/orders", "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={STRICT}")
    run("cmake", "--build", build, "--parallel", "2")
    return build


@pytest.fixture
def shell(tmp_path):
    with FerryServer(tmp_path / "server") as server:
        yield Shell(server.url, tmp_path)


class Shop:
    """The queue, the keys of one who may ask and of one who may not, and the two programs."""

    def __init__(self, shell, programs):
        self.shell, self.programs, self.folder = shell, programs, shell.folder
        shell.create("orders")
        shell.run("key", "new", "shop", "--folder", ".")
        shell.run("key", "new", "thief", "--folder", ".")
        public = (self.folder / "shop.pub").read_text().strip()
        (self.folder / "allowed-senders.toml").write_text(f'[sender.shop]\nkey = "{public}"\nrequests = ["Pay"]\nqueues = ["orders"]\n')

    def ask(self, order, cents, key="./shop.key"):
        return run(self.programs / "ask", "orders", key, order, cents, cwd=self.folder, env=self.shell.environment()).strip()

    def carry_out(self):
        return subprocess.Popen([self.programs / "carry_out", "orders", "payments.db", "allowed-senders.toml"], cwd=self.folder,
                                env=self.shell.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def payments(self):
        if not (self.folder / "payments.db").exists():
            return []
        with sqlite3.connect(self.folder / "payments.db") as database:
            if not database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'payment'").fetchone()[0]:
                return []
            return database.execute("SELECT order_name, cents, asked_by FROM payment ORDER BY order_name").fetchall()


def test_each_order_is_paid_once(shell, programs):
    shop = Shop(shell, programs)
    orders = [f"A{number}" for number in range(1, 21)]
    ids = [shop.ask(order, 100 + at) for at, order in enumerate(orders)]
    ids += [shop.ask(order, 100 + at) for at, order in enumerate(orders)]  # whoever heard no answer asks again
    assert len(set(ids)) == 40
    worker = shop.carry_out()
    try:
        wait_until(lambda: shell.count("orders") == (0, 0), 60, "everything is done")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 0, err
    assert out == "20 paid, 20 asked for again, 0 refused\n", err
    assert sorted(shop.payments()) == sorted((order, 100 + at, "shop") for at, order in enumerate(orders))
    # What the library records is what the command reads.
    records = shell.json("ledger", "ls", "--all", "--ledger", "payments.db")
    assert len(records) == 20 and {record["State"] for record in records} == {"done"}


def test_only_who_may_ask_is_paid_for_and_only_what_is_allowed(shell, programs):
    shop = Shop(shell, programs)
    shop.ask("B1", 500, key="./thief.key")
    shell.run("send", "orders", "--request", "Pay", "600", "-a", "Order=B2", "--idempotency-key", "order-B2")
    shop.ask("B3", 1_000_001)
    shop.ask("no-order", 5)
    shop.ask("B4", 1_000_000)
    worker = shop.carry_out()
    try:
        wait_until(shop.payments, 60, "a payment")
        wait_until(lambda: shell.count("orders")[0] == 0, 60, "all were looked at")
        worker.send_signal(signal.SIGINT)
        out, err = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 0, err
    assert out == "1 paid, 0 asked for again, 4 refused\n", err
    assert shop.payments() == [("B4", 1_000_000, "shop")]
    assert sum(shell.count("orders")) == 4, "what is refused stays"


def test_a_stop_lets_the_poll_end_in_time(shell, programs):
    worker = Shop(shell, programs).carry_out()
    try:
        wait_until(lambda: (shell.folder / "payments.db").exists(), 60, "it is at work")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=20)
    finally:
        worker.kill()
    assert (worker.returncode, out) == (0, "0 paid, 0 asked for again, 0 refused\n"), err


def test_what_is_wrong_is_said(shell, programs):
    words = [programs / "carry_out", "gone", "payments.db", "no-such-file.toml"]
    refused = subprocess.run(words, cwd=shell.folder, env=shell.environment(), capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "there is no queue gone at" in refused.stderr
    shell.create("orders")
    words = [programs / "ask", "orders", "./no.key", "A1", "5"]
    refused = subprocess.run(words, cwd=shell.folder, env=shell.environment(), capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "no.key" in refused.stderr


def test_installed_is_what_is_public_and_nothing_else(prefix):
    installed = {path.relative_to(prefix / "include") for path in (prefix / "include").rglob("*") if path.is_file()}
    assert installed == {path.relative_to(ROOT / "include") for path in (ROOT / "include").rglob("*.h")}
    assert (prefix / "bin/ferry").exists() and list(prefix.glob("lib*/**/libferry.a"))


def test_pkg_config_finds_it(prefix, tmp_path):
    folder = next(prefix.rglob("ferry.pc")).parent
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PKG_CONFIG_PATH": str(folder)}
    flags = run("pkg-config", "--cflags", "--libs", "ferry", env=env).split()
    run("g++", "-std=c++20", ROOT / "examples/orders/ask.cpp", *flags, "-o", tmp_path / "ask")
    usage = subprocess.run([tmp_path / "ask"], capture_output=True, text=True, timeout=60)
    assert usage.returncode == 2 and usage.stderr.startswith("usage: ask ")


@pytest.mark.parametrize("wanted, found", [("0.1", True), ("0.2", False), ("1.0", False)])
def test_another_minor_version_is_not_taken_for_this_one(prefix, wanted, found):
    version = next(prefix.rglob("ferryConfigVersion.cmake"))
    script = prefix.parent / f"version-{wanted}.cmake"
    script.write_text(f'set(PACKAGE_FIND_VERSION "{wanted}")\nset(PACKAGE_FIND_VERSION_MAJOR {wanted.split(".")[0]})\n'
                      f'set(PACKAGE_FIND_VERSION_MINOR {wanted.split(".")[1]})\nset(CMAKE_SIZEOF_VOID_P 8)\ninclude("{version}")\n'
                      'message(STATUS "compatible=${PACKAGE_VERSION_COMPATIBLE}")\n')
    said = run("cmake", "-P", script)
    assert bool(re.search("compatible=(TRUE|1)", said)) is found, said
