"""`PostgreSQL`: a real server that answers whom it should, and leaves no process and no folder, however it ends."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from asynclab.people import SCHEMA, orders, people
from asynclab.services import ServicesError, postgresql
from asynclab.services.postgresql import PostgreSQL
from servers import gone, refused, wait_until

pytestmark = pytest.mark.skipif(not PostgreSQL.available(), reason="no PostgreSQL server on this machine")


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    """Where temporary folders are made: readable by nobody too, whom root lends the server. Empty in the end."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(path))
    children = psutil.Process().children()
    yield path
    try:
        assert list(path.iterdir()) == []
        assert psutil.Process().children() == children
    finally:
        shutil.rmtree(path)


def place(address):
    parts = urlsplit(address)
    return parts.hostname, parts.port


async def ask(address, sql):
    connection = await asyncpg.connect(address)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def test_it_answers_on_loopback_alone_whoever_knows_the_password():
    async def main():
        before = psutil.Process().children()
        async with PostgreSQL(max_connections=7) as address:
            (between,) = set(psutil.Process().children()) - set(before)
            (server,) = between.children()
            below = [between, server, *server.children()]
            connection = await asyncpg.connect(address)
            async with connection.transaction():
                for statement in SCHEMA:
                    await connection.execute(statement)
                await connection.copy_records_to_table("people", records=people())
                await connection.copy_records_to_table("orders", records=orders())
            assert [tuple(row) for row in await connection.fetch("SELECT * FROM people ORDER BY user_id")] == people()
            assert [tuple(row) for row in await connection.fetch("SELECT * FROM orders ORDER BY order_id")] == orders()
            assert await connection.fetchval("SHOW max_connections") == "7"
            await connection.close()
            for wrong in (f"postgres:{'x' * 32}@", "postgres@"):
                with pytest.raises(asyncpg.PostgresError, match="password"):
                    await ask(address.replace(urlsplit(address).netloc.rpartition("@")[0] + "@", wrong), "SELECT 1")
            listening = {c.laddr for c in server.net_connections() if c.status == psutil.CONN_LISTEN}
            assert listening == {place(address)}
        return address, below

    address, below = asyncio.run(main())
    assert refused(place(address))
    assert [each for each in below if not gone(each.pid)] == []


def test_two_at_once_share_nothing():
    async def one():
        async with PostgreSQL() as address:
            await ask(address, "CREATE TABLE mine ()")
            return place(address), await ask(address, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'")

    async def main():
        return await asyncio.gather(one(), one())

    (here, count), (there, other) = asyncio.run(main())
    assert here != there
    assert (count, other) == (1, 1)


@pytest.mark.parametrize("delay", [0, 0.1, 0.25, 0.4, 0.6])
def test_cancelled_at_any_time_it_leaves_nothing(delay):
    async def use():
        async with PostgreSQL() as address:
            await ask(address, "SELECT pg_sleep(60)")

    async def main():
        task = asyncio.create_task(use())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_cancelled_as_it_ends_it_ends_all_the_same():
    async def main():
        server = PostgreSQL()
        address = await server.__aenter__()
        ending = asyncio.create_task(server.__aexit__(None, None, None))
        await asyncio.sleep(0.01)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert refused(place(address))

    asyncio.run(main())


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_kill_9_of_the_process_that_started_it_and_of_its_group_ends_it(folder):
    code = (
        "import asyncio\nfrom asynclab.services.postgresql import PostgreSQL\n"
        "async def main():\n    async with PostgreSQL() as address:\n"
        "        print(address, flush=True)\n        await asyncio.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(postgresql.__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        address = child.stdout.readline().strip()
        assert not refused(place(address))
        below = psutil.Process(child.pid).children(recursive=True)
        os.killpg(child.pid, signal.SIGKILL)
    wait_until(lambda: not any(folder.iterdir()), 20)
    wait_until(lambda: all(gone(each.pid) for each in below), 5)
    assert refused(place(address))


def test_it_says_why_it_cannot_start(monkeypatch):
    async def main(**settings):
        async with PostgreSQL(**settings):
            pytest.fail("it started")

    with pytest.raises(ServicesError, match="no_such_setting"):
        asyncio.run(main(no_such_setting=1))
    monkeypatch.setattr(postgresql, "find_server", lambda: None)
    with pytest.raises(ServicesError, match=r"no PostgreSQL server: .*requirements.txt"):
        asyncio.run(main())
    assert not PostgreSQL.available()
