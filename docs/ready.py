"""Is this machine ready for a class of N students? The teacher runs it the day before: `make ready N=30`.

Each row of the table is ok, or says what to do. `--students 1` is what a learner's own computer needs. Run it
where the students' notebooks will run: on the server, or in the environment that all of them get.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))

from asynclab.environment import Report, Row, machine, probed  # noqa: E402

# What one student takes who has one notebook open, and what is needed once: `make classroom` measures the first.
MEMORY, MEMORY_ONCE = 320e6, 1e9  # bytes: the student's server and kernel; the hub, or a browser
STUDENTS_A_PROCESSOR = 15  # at most: all begin at once, and then mostly read and wait
DISK = 50e6  # bytes: what a student adds to the copy of the guide
TASKS = 100  # processes and threads of a student's server, kernel and demonstrations, most of the time
FILES = 512  # open at once in one kernel; the guide raises a lower limit by itself where it may
WAIT = 10  # seconds after which a student thinks that nothing happens
WRITTEN = datetime.date(2026, 11, 28)  # an earlier day cannot be today

TIMELINE = """
import asyncio
from asynclab import trace
with trace("Two waits at once") as timeline:
    await asyncio.gather(asyncio.sleep(0.1), asyncio.sleep(0.1))
timeline
"""


def check(students: int) -> Report:
    """Return what a class of `students` needs here, all of it once the packages are there. It takes some seconds."""
    rows = list(machine())
    if not Report(tuple(rows[:2])):
        return Report(tuple(rows))
    rows += capacity(students)
    rows.append(probed("the clock", clock, "Set date and time: logins and certificates go by them"))
    remedy = "Set NO_PROXY=127.0.0.1,localhost as well: a proxy does not reach what runs on this machine itself"
    rows.append(probed("no proxy before 127.0.0.1", proxy, remedy))
    if students > 1:
        rows.append(probed("git, with which nbgitpuller fetches the guide", git, "Install git"))
    return Report((*rows, *lab()))


def capacity(students: int) -> Iterator[Row]:
    """Yield whether memory, processors, disk, processes and open files are enough for `students`."""
    who = "one student" if students == 1 else f"{students} students"
    fits = max(int((memory() - MEMORY_ONCE) / MEMORY), 0)
    remedy = f"Close what else runs, or take a larger machine: this one has room for {fits}"
    yield enough(f"memory for {who}", students * MEMORY + MEMORY_ONCE, memory(), remedy, 1e9)
    remedy = "Take a machine with more, or let groups begin one after the other"
    yield enough(f"processors for {who}", math.ceil(students / STUDENTS_A_PROCESSOR), processors(), remedy)
    copies = students * (sum(path.stat().st_size for path in guide_files()) + DISK)
    remedy = "Free some space where the home folders are"
    yield enough(f"disk for {who}", copies, shutil.disk_usage(Path.home()).free, remedy, 1e9)
    tasks, files = limits()
    remedy = "Raise the limit: ulimit -Hu, TasksMax of systemd, or the container's pids limit"
    yield enough(f"processes and threads for {who}", students * TASKS, tasks, remedy)
    yield enough("open files of a kernel", FILES, files, "Raise the limit: ulimit -Hn, or LimitNOFILE of systemd")


def enough(what: str, needed: float, there: float, remedy: str, unit: float = 1) -> Row:
    """Return a row that is ok if as much is `there` as is `needed`; a `unit` of 1e9 shows bytes as gigabytes."""
    texts = [f"{n / unit:,.1f} GB" if unit == 1e9 else f"{n:,.1f}".removesuffix(".0") for n in (needed, there)]
    found = f"{texts[0]} needed, {'no limit' if there == math.inf else f'{texts[1]} there'}"
    return Row(what, there >= needed, found, remedy)


def guide_files() -> Iterator[Path]:
    """Yield the files of the guide, without what is installed or made in its folder."""
    for top in ROOT.iterdir():
        if top.name not in {".git", ".venv", "build"}:
            yield from (path for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file())


def memory() -> float:
    """Return the bytes that are free on the machine, at most what the container has that this runs in."""
    import psutil

    return min(psutil.virtual_memory().available, cgroup("memory.max"))


def processors() -> float:
    """Return how many processors this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, cgroup("cpu.max"))


def limits() -> tuple[float, float]:
    """Return how many processes and threads this user may have, and how many open files each process."""
    try:
        import resource
    except ImportError:  # Windows
        return math.inf, math.inf

    def hard(limit: int) -> float:
        value = resource.getrlimit(limit)[1]
        return math.inf if value == resource.RLIM_INFINITY else value

    return min(hard(resource.RLIMIT_NPROC), cgroup("pids.max")), hard(resource.RLIMIT_NOFILE)


def cgroup(name: str, root: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the smallest value of the file `name` in the control groups around this process, or infinity."""
    with contextlib.suppress(OSError):
        inside = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        values = [math.inf]
        for folder in (root / inside, *(root / inside).parents):
            if folder.is_relative_to(root) and (folder / name).is_file():
                first, *period = (folder / name).read_text().split()
                if first != "max":
                    values.append(int(first) / int(*period or ["1"]))
        return min(values)
    return math.inf


def clock() -> str:
    """Return date and time. Raises RuntimeError if it is earlier than it can be."""
    now = datetime.datetime.now()
    if now.date() < WRITTEN:
        raise RuntimeError(f"it says {now:%d %B %Y}, and the guide is newer than that")
    return f"{now:%d %B %Y, %H:%M}"


def proxy() -> str:
    """Return the proxy there is. Raises RuntimeError if it would get what is meant for this machine itself."""
    proxies = {name: url for name, url in urllib.request.getproxies().items() if name in ("http", "https", "all")}
    for host in ("127.0.0.1", "localhost"):
        if proxies and not urllib.request.proxy_bypass(host):
            raise RuntimeError(f"{next(iter(proxies.values()))} is the proxy for {host} too")
    return ", ".join(proxies.values()) or "none"


def git() -> str:
    """Return the version of git. Raises an exception if there is none."""
    if not shutil.which("git"):
        raise RuntimeError("there is none")
    return subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def lab() -> Iterator[Row]:
    """Yield what a browser meets that opens notebook 0: the page, a kernel behind a websocket, the first timeline."""
    with contextlib.ExitStack() as stack:
        browser = Browser(stack)
        for what, step, seconds, remedy in (
            ("JupyterLab's page", browser.open, 30, "Close what else runs, then see what `make lab` says"),
            (
                "a kernel, through a websocket",
                browser.add,
                10,
                "Close what else runs; exempt .venv from the virus scanner",
            ),
            (
                "the first timeline",
                browser.draw,
                10,
                "Install all anew: python -m pip install --force-reinstall -r requirements.txt",
            ),
        ):
            row = probed(f"{what}, within {seconds} s", partial(timed, step, seconds), remedy)
            yield row
            if not row.ok:
                return


def timed(step: Callable[[], None], most: float) -> str:
    """Return how long `step` took. Raises RuntimeError if that is more than `most` seconds."""
    begun = time.monotonic()
    step()
    took = time.monotonic() - begun
    if took > most:
        raise RuntimeError(f"it took {took:.0f} s")
    return f"{took:.1f} s"


class Browser:
    """What a browser does with a JupyterLab of this guide, which ends with `stack`."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._token = uuid.uuid4().hex
        self._headers = {"Authorization": f"token {self._token}"}

    def open(self) -> None:
        """Start JupyterLab on a free port of 127.0.0.1, and fetch the page of notebook 0."""
        self._address = self._stack.enter_context(server(self._token))
        self._fetch("lab/tree/notebooks/00_start_here.ipynb")

    def add(self) -> None:
        """Start a kernel, reach it as a page does, through a websocket, and let it add 1 and 1."""
        import websocket  # jupyter-server brings it

        kernel = json.loads(self._fetch("api/kernels", b"{}"))["id"]
        url = f"ws://{self._address}/api/kernels/{kernel}/channels"
        self._socket = websocket.create_connection(url, timeout=30, header=self._headers, http_no_proxy=["127.0.0.1"])
        self._stack.callback(self._socket.close)
        if (shown := self._run("1 + 1")).get("text/plain") != "2":
            raise RuntimeError(f"1 + 1 gave {shown}")

    def draw(self) -> None:
        """Draw a timeline of two waits."""
        if "data:image/png" not in self._run(TIMELINE).get("text/html", ""):
            raise RuntimeError("there is no picture in it")

    def _fetch(self, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"http://{self._address}/{path}", data, self._headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the proxy has a row of its own
        with opener.open(request, timeout=30) as answer:
            return answer.read()

    def _run(self, code: str) -> dict[str, str]:
        """Execute `code` and return what it shows. Raises RuntimeError if it fails."""
        request, shown = uuid.uuid4().hex, {}
        header = {"msg_id": request, "msg_type": "execute_request", "session": request, "username": "", "version": "5"}
        content = {"code": f"import sys; sys.path.insert(0, {str(ROOT / 'notebooks')!r})\n{code}", "silent": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self._socket.send(json.dumps(message))
        while True:
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") == request:
                content = message["content"]
                if message["msg_type"] == "error":
                    raise RuntimeError(f"{content['ename']}: {content['evalue']}")
                shown |= content.get("data", {})
                if content.get("execution_state") == "idle":
                    return shown


@contextlib.contextmanager
def server(token: str) -> Iterator[str]:
    """Run JupyterLab as `make lab` does, for a block that gets its address. Raises RuntimeError if it ends at once."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # A hub's variables would make a hub's server of it; the runtime folder says which port it has.
        env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTERHUB_")}
        env |= {"JUPYTER_RUNTIME_DIR": name, "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter")}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
        command += ["--ServerApp.port=0", f"--ServerApp.root_dir={ROOT}"]
        with (folder / "log").open("w") as log:
            child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while not (address := listening(folder)):
                if child.poll() is not None or time.monotonic() > end:
                    said = (folder / "log").read_text("utf-8", "replace").splitlines()
                    raise RuntimeError(next(filter(str.strip, reversed(said)), "it did not start, and says nothing"))
                time.sleep(0.05)
            yield address
        finally:
            child.terminate()  # on which it ends its kernels
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def listening(folder: Path) -> str:
    """Return the address that the server with this runtime folder listens on, or nothing."""
    for path in folder.glob("jpserver-*.json"):
        with contextlib.suppress(ValueError, OSError):  # half written, or not listening yet
            address = ("127.0.0.1", json.loads(path.read_text("utf-8"))["port"])
            socket.create_connection(address, timeout=5).close()
            return "{}:{}".format(*address)
    return ""


def table(report: Report) -> str:
    """Return the report as a table: what was found, and below each fault what to do."""
    width = max(len(row.what) for row in report.rows)
    lines = []
    for row in report.rows:
        found = row.found if len(row.found) < 60 else ""
        lines.append(f"{'ok' if row.ok else 'FAULT':<7}{row.what:<{width}}  {found if row.ok else row.found}".rstrip())
        lines += [] if row.ok else [f"       → {row.remedy}."]
    return "\n".join([*lines, "", str(report).splitlines()[0]])


def number(text: str) -> int:
    """Return how many students `text` says. Raises ArgumentTypeError for what is no number from 1 to 1000."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of students from 1 to 1000")
    return int(text)


def main() -> int:
    """Print the table; return 1 if a row is not ok, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=number, default=30, metavar="N", help="how many (30)")
    report = check(parser.parse_args().students)
    print(table(report))
    return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
