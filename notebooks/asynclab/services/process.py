"""`Services`: starts the child process in which the servers run, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

_HOST = "127.0.0.1"
_START = 30.0  # seconds for the servers to be ready, which takes less than one unless the machine is very busy
_STOP = 2.0  # seconds for the child to end by itself
_ADVICE = (
    "Run the cell again. If that does not help, `python notebooks/asynclab/environment.py` says what this machine "
    "lacks, and `python -m pip install -r requirements.txt` installs the packages."
)
_MORE_FILES = (
    "Shut down kernels that you do not need. If that does not help, end Jupyter, allow more open files by "
    "`ulimit -n 4096`, and start it again from the same terminal."
)
_running: weakref.WeakSet[Services] = weakref.WeakSet()


class ServicesError(RuntimeError):
    """The servers cannot be used; the message says why and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show the advice alone: where the start stands explains nothing."""
        return [f"ServicesError: {self}"]


class Services:
    """An HTTP API, a website and a mail server, each on a free port of 127.0.0.1, in one process of their own.

    `async with Services() as web:` starts and stops them; so do `web = await Services().start()` and
    `await web.stop()`. They end with this process however it ends, and when the object is dropped. All their state
    begins anew with each start. The base URLs have no slash at the end.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._ready = False
        self._ports: dict[str, int] = {}

    async def start(self) -> Services:
        """Start the servers and return this object once they answer; if they run already, return at once.

        The event loop is free meanwhile. Raises ServicesError, saying why and what to do, if they cannot start. A
        start that is cancelled leaves no process.
        """
        if self._child is not None:
            if not self._ready:
                raise ServicesError("these servers are starting already: await that start, or make another Services()")
            if self._child.alive:
                return self
            self._child.wait()  # it was killed, and is there to be cleared away
            self._child, self._ready = None, False
            _running.discard(self)
        self._child = child = Child(self, "services")
        try:
            self._ports = await child.first_line(_START)
        except BaseException:
            self._child = None
            raise
        self._ready = True
        _running.add(self)
        return self

    async def stop(self) -> None:
        """End the servers and their process, with all connections. Stopping what does not run is no error.

        Takes some milliseconds, at most 2 seconds, in which the event loop is free. Cancelled, it ends them all the
        same.
        """
        if not self._ready:
            return
        child, self._child, self._ready = self._child, None, False
        _running.discard(self)
        child.ask_to_end()
        await asyncio.to_thread(child.wait)

    async def __aenter__(self) -> Services:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def api(self) -> str:
        """The base URL of the HTTP API; its page `/` lists the paths. It keeps its value after the end."""
        return f"http://127.0.0.1:{self._port('api')}"

    @property
    def site(self) -> str:
        """The base URL of the website."""
        return f"http://127.0.0.1:{self._port('site')}"

    @property
    def mail(self) -> tuple[str, int]:
        """Host and port of the mail server."""
        return "127.0.0.1", self._port("mail")

    @property
    def pid(self) -> int:
        """The number of the servers' process."""
        if self._child is None:
            raise ServicesError("the servers do not run: start them with `await web.start()`")
        return self._child.process.pid

    def url(self, path: str, **query: Any) -> str:
        """Return the URL of `path`, which begins with a slash, at the HTTP API, with `query` encoded.

        Raises ServicesError if the servers do not run: to ask there would only give a connection that is refused.
        """
        if self._ports and not self._ready:
            raise ServicesError("the servers have stopped: start them again with `await web.start()`")
        mark = "&" if "?" in path else "?"
        return f"{self.api}{path}{mark + urlencode(query) if query else ''}"

    @contextlib.asynccontextmanager
    async def asking(
        self, path: str, *, patience: float = 60.0, **query: Any
    ) -> AsyncIterator[Callable[[object], Awaitable[Any]]]:
        """Open a session, and give a coroutine function `ask` for work that is a request to the HTTP API.

            async with web.asking("/users/{}") as ask:
                person = await ask(101)

        `await ask(item)` requests `url(path, **query)`, `item` standing where `path` has `{}`, and returns the JSON
        that is answered. It raises aiohttp.ClientResponseError for a status of 400 or more, TimeoutError after
        `patience` seconds, else what aiohttp raises. The session has no limit on connections.
        """
        import aiohttp  # not needed by whoever only starts the servers

        limits = {"connector": aiohttp.TCPConnector(limit=0), "timeout": aiohttp.ClientTimeout(patience)}
        async with aiohttp.ClientSession(**limits, raise_for_status=True) as session:

            async def ask(item: object) -> Any:
                async with session.get(self.url(path.replace("{}", str(item)), **query)) as response:
                    return await response.json()

            yield ask

    async def stats(self, client: str = "", *, reset: bool = False) -> dict[str, Any]:
        """Return what the servers saw of `client`, as the API's `/stats` does; `reset` then begins its record anew.

        "requests"; "connections", on which it came; "open_connections", now; "peak", the most requests that were being
        served at one moment; "statuses", how many of each (as text), and of requests that ended without one: dropped,
        reset, abandoned by the client; "by_path"; "violations" of /limited and /retry-after. It is seen by the HTTP
        API and the website. What it asked of /flaky and the like is forgotten with its record.

        Raises ServicesError if the servers do not answer.
        """
        path = self.url("/stats", of=client, reset=int(reset)).removeprefix(self.api)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port("api"))
            try:
                # A client of HTTP 1.0, in three lines: the server answers in one piece and hangs up.
                writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
                await writer.wait_closed()
        except OSError as error:
            raise ServicesError(f"the servers do not answer: {error}. Start them with `await web.start()`") from error
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ServicesError(f"the servers gave no account of {client!r}: {body.decode(errors='replace')}")
        return json.loads(body)

    @classmethod
    def running(cls) -> list[Services]:
        """Return the live ones that this process started."""
        return [each for each in _running if each._child.alive]

    def _port(self, name: str) -> int:
        if not self._ports:
            raise ServicesError(
                "the servers have not started: use `async with Services() as web:` or `await web.start()`"
            )
        return self._ports[name]

    def __repr__(self) -> str:
        if not self._ready:
            return "<Services, not running>"
        return f"<Services: api {self.api}, site {self.site}, mail {':'.join(map(str, self.mail))}>"


class Child:
    """A process that serves, its pipes, and the file that keeps what it complains of."""

    def __init__(self, owner: object, *module: str, patience: float = 0.0, **options: Any) -> None:
        """Run a module of this package, with arguments; dropped by its `owner`, it has `patience` seconds to end."""
        if not os.path.exists(__file__):
            raise ServicesError(
                "the servers cannot start: the folder of the notebooks is no longer where it was. Open this notebook "
                "where the folder is now, and restart the kernel."
            )
        _ask_without_proxies()
        try:
            self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        except OSError as error:
            raise _refused(error) from error
        # The child finds `services` as a package of its own, beside the bench's modules only: a learner's file, such
        # as random.py in the folder of the notebooks, must not take the place of a module. Hence -P, too.
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", *module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                # Docstrings are kept: the page of the API says what each path does.
                env={**os.environ, "PYTHONPATH": path, "PYTHONOPTIMIZE": ""},
                **options,
            )
        except BaseException as error:
            self.stderr.close()
            if isinstance(error, OSError):
                raise _refused(error) from error
            raise
        self._patience = patience
        # Called once: by us, or when it is dropped without a stop, or at the end of the interpreter.
        self._end = weakref.finalize(owner, _end, self.process, self.stderr, patience)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    async def first_line(self, patience: float) -> Any:
        """Return what the process says first, which is JSON. If it says nothing of the kind, end it, and say why."""
        said = None
        reading = asyncio.get_running_loop().run_in_executor(None, self.process.stdout.readline)
        try:
            async with asyncio.timeout(patience):
                line = await asyncio.shield(reading)
            said = json.loads(line)
        except asyncio.CancelledError:
            self.ask_to_end()
            await asyncio.wait([reading], timeout=self._patience)
            raise
        except TimeoutError:
            raise self._failure(f"their process said nothing within {patience:g} seconds") from None
        except ValueError:
            text = line.decode(errors="replace").strip()
            raise self._failure(f"their process said {text!r:.80}" if text else "") from None
        finally:
            if said is None:
                self._end()  # a thread may still wait for the line, which now ends
        return said

    def ask_to_end(self) -> None:
        """Say goodbye."""
        _ask_to_end(self.process)

    def wait(self) -> None:
        """Wait for the process to end, kill it if it does not, and close what is open."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP)
        self._end()

    def _failure(self, why: str) -> ServicesError:
        """Return the error that says why the servers did not start: the last lines of stderr, else `why`."""
        if not why:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP)
            why = f"their process ended with code {self.process.poll()}"
        self.stderr.seek(0)
        complaint = "\n".join(self.stderr.read().decode(errors="replace").strip().splitlines()[-8:])
        return ServicesError(f"the servers did not start: {complaint or why}\n{_ADVICE}")


def _refused(error: OSError) -> ServicesError:
    """Return the error that says what the system refused, and what to do."""
    advice = _MORE_FILES if error.errno in (errno.EMFILE, errno.ENFILE) else _ADVICE
    return ServicesError(f"the servers cannot start: {error}. {advice}")


def _ask_without_proxies() -> None:
    """Let this process and its children ask 127.0.0.1 itself, where the environment names proxies.

    urllib asks a proxy even for this machine, and a proxy asks its own; aiohttp asks none by itself.
    """
    if any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        without = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if without != "*" and _HOST not in without.split(","):
            os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [without, _HOST]))


def _ask_to_end(process: subprocess.Popen) -> None:
    """Send a byte, because a forked worker that holds the pipe too would keep off its end-of-file."""
    with contextlib.suppress(OSError):  # it may have ended already
        process.stdin.write(b"\n")
        process.stdin.flush()


def _end(process: subprocess.Popen, stderr: IO[bytes], patience: float) -> None:
    """End the process, by force if it takes longer than `patience` seconds, and close its files."""
    if process.poll() is None:  # in a forked worker, where it is no child, it counts as ended
        _ask_to_end(process)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for file in (process.stdin, process.stdout, stderr):
        with contextlib.suppress(OSError):  # what could not be written to a process that is gone
            file.close()
