"""The price watcher of chapter 8, as the notebook writes it: a script that runs alone, and is signalled and killed.

It is made by the notebook's own cells out of our solutions, and started as a terminal does, with every warning an
error. The servers are real, and count.
"""

# ruff: noqa: ASYNC110, ASYNC220, ASYNC240 (a test may poll, and start a process as a terminal does)

import asyncio
import contextlib
import linecache
import random
import re
import runpy
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from aiosmtpd.smtp import SMTP

import notebook_file
from asynclab.services.mail import Mailbox

NOTEBOOK = notebook_file.ROOT / "notebooks" / "08_price_watcher_project.ipynb"
CELLS = ("exercises-begin", "storage", "network", "mail", "watch", "command", "folder", "script")
STRICT = ("-X", "dev", "-W", "error")
SLOW_LOOP = re.compile(r"Executing .* took .* seconds\n")  # asyncio's debug mode, on a busy machine
GRACE = 5.0  # seconds for the last mails
SLACK = 5.0  # seconds that a busy machine may add


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script that the notebook writes."""
    sources = {cell.id: cell.source for cell in notebook_file.read(NOTEBOOK).cells}
    names = {"__name__": "notebook"}
    for each in CELLS:
        place = f"{NOTEBOOK.name}[{each}]"
        linecache.cache[place] = len(sources[each]), None, sources[each].splitlines(keepends=True), place
        exec(compile(sources[each], place, "exec"), names)
    with names["folder"]:
        return names["script"].rename(tmp_path_factory.mktemp("script") / "price_watcher.py")


@pytest.fixture
def database(tmp_path):
    return tmp_path / "prices.db"


@pytest.fixture
def watcher(script, tmp_path, database, web):
    """Start a watcher: `async with watcher(sources, rate=20) as it:` gives its process and address, and ends it."""

    @contextlib.asynccontextmanager
    async def start(sources, flags=STRICT, **options):
        chosen = {"database": database, "port": 0, "mail": "{}:{}".format(*web.mail), **options}
        words = [*sources, *(f"--{name}={value}" for name, value in chosen.items())]
        with subprocess.Popen(
            [sys.executable, "-I", *flags, script, *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                address = await asyncio.to_thread(process.stdout.readline)
                yield SimpleNamespace(process=process, address=address.strip())
            finally:
                process.kill()

    return start


def play(main):
    """Run `main()`, within a minute."""
    return asyncio.run(asyncio.wait_for(main(), 60))


async def stopped(it, number=signal.SIGTERM):
    """Send the watcher a signal, and return the seconds it took to end: without an error, and without a complaint."""
    began = time.monotonic()
    it.process.send_signal(number)
    _, complaints = await asyncio.to_thread(it.process.communicate)
    assert (SLOW_LOOP.sub("", complaints), it.process.returncode) == ("", 0)
    return time.monotonic() - began


def rows(database, sql):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


async def until(condition, seconds=20.0):
    """Wait until `condition()` is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def refusing():
    """A socket with a port of its own, which refuses connections until it listens."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def port_of(sock):
    return sock.getsockname()[1]


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_good_order_and_nothing_is_left(watcher, tmp_path, database, web, me, number):
    shops = [web.url(f"/prices/{item}", client=me) for item in ("tea", "milk", "bread")]
    sources = [*shops, web.url("/status/503", client=me), web.url("/never", client=me)]

    async def main():
        async with watcher(sources, rate=40) as it, aiohttp.ClientSession(it.address) as session:
            async with session.ws_connect("/changes") as changes:
                heard = [await changes.receive_json() for _ in range(9)]
                async with session.get("/prices") as response:
                    prices = await response.json()
                assert set(prices) == {shop for change in heard for shop in change} == set(shops)
                assert all(80 <= price <= 120 for price in prices.values())
                assert psutil.Process(it.process.pid).children() == []
                stop = asyncio.create_task(stopped(it, number))
                while (message := await changes.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
                while not stop.done():  # one who cannot wait
                    it.process.send_signal(number)
                    await asyncio.sleep(0.001)
            assert await stop < SLACK
            with socket.create_server(("127.0.0.1", urlsplit(it.address).port)):
                pass  # its port is free again at once
            assert list(tmp_path.iterdir()) == [database]
            assert (await web.stats(me))["open_connections"] == 0

    play(main)


def test_what_it_cannot_do_it_says_at_the_start_and_nothing_is_left(watcher, tmp_path, web):
    shop = web.url("/prices/tea")

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for sources, options in (
                ([shop], {"port": port_of(taken)}),
                ([shop], {"database": tmp_path}),
                ([shop], {"database": tmp_path / "nowhere" / "prices.db"}),
                ([], {}),
            ):
                async with watcher(sources, **options) as it:
                    _, complaints = await asyncio.to_thread(it.process.communicate)
                    assert (it.address, complaints != "") == ("", True)
                    assert it.process.returncode in (1, 2)
        assert {path.name for path in tmp_path.iterdir()} <= {"prices.db"}

    play(main)


# ---------------------------------------------------------------- the shops


def test_no_server_is_asked_more_often_than_the_rate_says(watcher, web, me):
    rate, burst = 25, 9
    limited = web.url("/limited", client=me, rate=burst, per=0.02)  # counts more than `burst` at once as violations
    faulty = [web.url(path, client=me) for path in ("/never", "/never", "/drop", "/drop", "/drop", "/redirect-loop")]

    async def seen():
        before = time.monotonic()
        record = await web.stats(me)
        return before, time.monotonic(), record

    async def main():
        async with watcher([limited] * 6 + faulty + [limited] * 6, rate=rate) as it:
            await asyncio.sleep(0.5)
            first_before, first_after, first = await seen()
            await asyncio.sleep(2.5)
            last_before, last_after, last = await seen()
            await stopped(it)
        visits = last["requests"] - first["requests"]
        assert visits <= (last_after - first_before) * rate + 2
        assert visits >= (last_before - first_after) * rate / 2, "a source that is slow holds up the others"
        assert last["violations"] == 0

    play(main)


def test_no_answer_ends_it_and_none_but_a_price_is_stored(watcher, database, web):
    texts = ["[1]", '"word"', "null", "", '{"price": "9"}', '{"price": NaN}', '{"price": 1e999}', '{"price": -1}']
    texts += ['{"price": 0}', f'{{"price": {"9" * 400}}}', "[" * 2000, '{"price": [1, 2]}']
    sources = [web.url("/scripted", text=text) for text in texts]
    sources += [web.url("/scripted", text='{"price": [', type="application/json; charset=hex")]
    sources += [web.url("/scripted", text="<p>5", type="text/html; charset=nonsense"), f"{web.site}/", "no address"]
    paths = ("/status/404", "/status/503", "/redirect-loop", "/wrong-charset", f"/bytes/{2**34}", "/malformed")
    sources += [web.url(path) for path in (*paths, "/slow-body?duration=60", "/reset", "/drop", "/never")]
    shop = web.url("/prices/tea")

    async def main():
        with refusing() as nobody:
            sources.append(f"http://127.0.0.1:{port_of(nobody)}/")
            async with watcher([*sources, shop], rate=50) as it, aiohttp.ClientSession(it.address) as session:
                async with session.ws_connect("/changes") as changes:
                    for _ in range(4):  # rounds: three seconds or so, and a visit has one
                        assert set(await changes.receive_json(timeout=20)) == {shop}
                memory = Path(f"/proc/{it.process.pid}/status")
                if memory.exists():
                    peak = re.search(r"VmHWM:\s*(\d+) kB", memory.read_text())
                    assert int(peak[1]) < 250_000, "it reads an answer without end"
                await stopped(it)
        assert [source for source, _ in rows(database, "SELECT * FROM prices")] == [shop]

    play(main)


# ---------------------------------------------------------------- the readers


def test_a_reader_that_takes_nothing_holds_up_neither_the_others_nor_the_end(watcher, web):
    padding = "x" * 100_000  # of an address, not sent to the shop: what has to be sent to readers is large
    shops = [f"{web.url(f'/prices/{item}')}#{padding}" for item in ("tea", "milk", "bread")]
    greeting = (
        "GET /changes HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )

    async def main():
        async with watcher(shops, rate=50, limit=0) as it, aiohttp.ClientSession(it.address) as session:
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(("127.0.0.1", urlsplit(it.address).port))
                slow.sendall(greeting.encode())
                assert slow.recv(12) == b"HTTP/1.1 101"
                async with session.ws_connect("/changes") as changes:
                    sent = 0
                    while sent < 10_000_000:
                        sent += len(await changes.receive_str(timeout=SLACK))
                    async with session.get("/prices", timeout=aiohttp.ClientTimeout(SLACK)) as response:
                        assert set(await response.json()) == set(shops)
                    assert await stopped(it) < SLACK
                taken = 0
                with contextlib.suppress(ConnectionResetError):
                    while part := slow.recv(65536):
                        taken += len(part)
                assert taken < sent / 2, "this reader was not slow: the test is none"

    play(main)


# ---------------------------------------------------------------- the mails


@contextlib.asynccontextmanager
async def mail_server(sock):
    """Let a socket be a mail server, and give its mailbox."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="localhost", loop=loop), sock=sock)
    try:
        yield mailbox
    finally:
        server.close()


@pytest.mark.parametrize("stops_at_once", [False, True])
def test_mails_come_each_once_when_their_server_is_back(watcher, database, web, me, stops_at_once):
    shops = [web.url(f"/prices/{item}", client=me) for item in ("tea", "milk", "bread")]

    async def main():
        with refusing() as sock:
            async with watcher(shops, rate=20, limit=1000, mail=f"127.0.0.1:{port_of(sock)}") as it:
                await until(lambda: len(rows(database, "SELECT * FROM mails")) == 3)
                await asyncio.sleep(0.7)  # it tries, in vain
                async with mail_server(sock) as mailbox:
                    await until(lambda: stops_at_once or rows(database, "SELECT * FROM mails") == [])
                    await stopped(it)
                    assert rows(database, "SELECT * FROM mails") == []
                    mails = [message["subject"].split() for message in mailbox.messages]
        assert sorted(shop for shop, *_ in mails) == sorted(shops)
        assert all(80 <= float(price) <= 120 for _, _, price in mails)

    play(main)


def test_a_mail_server_that_hangs_delays_the_end_by_the_grace_alone(watcher, database, web, me):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.setblocking(False)
            mail = f"127.0.0.1:{port_of(silent)}"
            async with watcher([web.url("/prices/tea", client=me)], rate=20, limit=1000, mail=mail) as it:
                connection, _ = await asyncio.get_running_loop().sock_accept(silent)
                with connection:
                    assert await stopped(it) < GRACE + SLACK
        assert len(rows(database, "SELECT * FROM mails")) == 1, "what was not sent is kept"

    play(main)


# ---------------------------------------------------------------- a kill

# What is stored is written down in the same transaction; and a mail takes its time, so that a kill meets it half done.
RECORD = """
CREATE TABLE stored (number INTEGER PRIMARY KEY, source TEXT, price REAL);
CREATE TABLE owed (text TEXT);
CREATE TABLE filler AS SELECT column1 AS n FROM (VALUES {});
CREATE TRIGGER a AFTER INSERT ON prices BEGIN INSERT INTO stored (source, price) VALUES (new.source, new.price); END;
CREATE TRIGGER b AFTER UPDATE ON prices BEGIN INSERT INTO stored (source, price) VALUES (new.source, new.price); END;
CREATE TRIGGER c BEFORE INSERT ON mails BEGIN
    INSERT INTO owed VALUES (new.text);
    SELECT sum(one.n * two.n) FROM filler AS one, filler AS two;
END;
"""


def test_a_kill_at_any_moment_costs_no_price_and_no_mail(watcher, script, database, web, me):
    kills, limit, rng = 8, 100, random.Random(8)
    shops = [web.url(f"/prices/{item}", client=me) for item in ("tea", "milk", "bread", "salt")]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(runpy.run_path(str(script))["TABLES"])
        connection.executescript(RECORD.format(", ".join(f"({n})" for n in range(1200))))

    async def main():
        heard = []
        for number in range(kills):
            async with watcher(shops, flags=(), rate=40, limit=limit) as it, aiohttp.ClientSession() as session:
                async with session.ws_connect(f"{it.address}/changes") as changes:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(rng.uniform(0.1, 0.7) if number % 2 else SLACK):
                            for _ in range(1000 if number % 2 else rng.randrange(3, 20)):
                                heard += (await changes.receive_json()).items()
                    it.process.kill()  # at any moment; or at once when a change was heard of
                    async for message in changes:
                        heard += message.json().items()
                it.process.wait()
            assert rows(database, "PRAGMA integrity_check") == [("ok",)]
        with refusing() as nobody:  # no new price: what is owed is sent
            async with watcher([f"http://127.0.0.1:{port_of(nobody)}/"]) as it:
                await until(lambda: rows(database, "SELECT * FROM mails") == [])
                await stopped(it)
        async with aiohttp.ClientSession(web.api) as session, session.get("/mail/messages") as response:
            subjects = [message["subject"] for message in await response.json()]
        return Counter(heard), Counter(subject for subject in subjects if subject.split()[0] in shops)

    heard, sent = play(main)
    stored, falls = rows(database, "SELECT source, price FROM stored ORDER BY number"), Counter()
    for shop in shops:
        prices = [limit, *(price for source, price in stored if source == shop)]
        falls.update(f"{shop} costs {new}" for old, new in pairwise(prices) if new < limit <= old)
    assert sum(falls.values()) > kills, "there was little to lose: the test is none"
    assert heard <= Counter(stored), "what readers heard of is stored"
    assert dict(rows(database, "SELECT * FROM prices")) == dict(stored)
    assert Counter(text for (text,) in rows(database, "SELECT * FROM owed")) == falls
    assert falls <= sent and sent.total() <= falls.total() + kills
