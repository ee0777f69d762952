"""`make ready`: each row is ok where it should be, and a fault where something is made to lack."""

from __future__ import annotations

import datetime
import math
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

import notebook_file

sys.path.insert(0, str(notebook_file.ROOT / "docs"))
import ready
from asynclab.environment import Report, Row

PLENTY = {
    "memory": lambda: 12e9,
    "processors": lambda: 2,
    "limits": lambda: (3_000, math.inf),
    "shutil.disk_usage": lambda _: namedtuple("Usage", "free")(3e9),
}


@pytest.mark.parametrize(
    ("name", "there", "fault"),
    [
        ("", None, None),
        ("memory", lambda: 10.5e9, "memory for 30 students: 10.6 GB needed, 10.5 GB there. "),
        ("processors", lambda: 1.5, "processors for 30 students: 2 needed, 1.5 there"),
        ("shutil.disk_usage", lambda _: namedtuple("Usage", "free")(1.5e9), "disk for 30 students: "),
        ("limits", lambda: (2_999, 512), "processes and threads for 30 students: 3,000 needed, 2,999 there"),
        ("limits", lambda: (3_000, 511), "open files of a kernel: 512 needed, 511 there"),
    ],
)  # fmt: skip
def test_what_is_too_little(name: str, there, fault: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for each, value in {**PLENTY, **({name: there} if name else {})}.items():
        monkeypatch.setattr(f"ready.{each}", value)
    faults = [str(row) for row in ready.capacity(30) if not row.ok]
    assert len(faults) == bool(fault) and all(fault in row for row in faults), faults
    assert name != "memory" or faults[0].endswith("this one has room for 29")
    assert all(row.ok for row in ready.capacity(1)) or name == "limits"


def test_the_limits_are_those_of_the_container_too(tmp_path: Path) -> None:
    if not Path("/proc/self/cgroup").is_file():
        pytest.skip("control groups are Linux's")
    inside = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
    folder = tmp_path / "top" / inside
    folder.mkdir(parents=True, exist_ok=True)
    assert ready.cgroup("memory.max", tmp_path / "top") == math.inf
    for name, text, value in (("cpu.max", "150000 100000", 1.5), ("pids.max", "max", math.inf), ("memory.max", "5", 5)):
        (folder / name).write_text(text)
        (tmp_path / name).write_text("1")  # outside of what is looked at
        assert ready.cgroup(name, tmp_path / "top") == value
    assert 0 < ready.memory() < math.inf and 0 < ready.processors() <= os.cpu_count()


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, ""),
        ({"http_proxy": "http://proxy:3128"}, "http://proxy:3128 is the proxy for 127.0.0.1 too"),
        ({"HTTPS_PROXY": "http://proxy:1", "no_proxy": "127.0.0.1"}, "http://proxy:1 is the proxy for localhost too"),
        ({"all_proxy": "socks://proxy:1", "NO_PROXY": "localhost,127.0.0.1"}, ""),
    ],
)
def test_a_proxy(variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if not fault:
        assert ready.proxy() == variables.get("all_proxy", "none")
    else:
        with pytest.raises(RuntimeError, match=fault):
            ready.proxy()


def test_what_else_a_room_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Reset(datetime.datetime):
        @classmethod
        def now(cls) -> datetime.datetime:
            return cls(2000, 1, 1)

    monkeypatch.setattr(ready.datetime, "datetime", Reset)
    with pytest.raises(RuntimeError, match="it says 01 January 2000"):
        ready.clock()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="there is none"):
        ready.git()
    with pytest.raises(RuntimeError, match="it took 0 s"):
        ready.timed(lambda: None, 0)


@pytest.mark.skipif(os.name != "posix", reason="the server that breaks is a script of a shell")
def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first; echo 'No such option: --ServerApp.bad'; echo; exit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    begun = time.monotonic()
    (row,) = ready.lab()  # no kernel is looked for where there is no server
    assert str(row).startswith("fault  JupyterLab's page, within 30 s: No such option: --ServerApp.bad. Close what")
    assert time.monotonic() - begun < 30  # at once, not when a server would be late


def test_faults_end_with_1_and_a_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Row("Python", True, "Python 3.11"), Row("packages", False, "not installed: aiohttp", "Install them"))
    monkeypatch.setattr(ready, "machine", lambda: rows)
    monkeypatch.setattr(sys, "argv", ["ready.py"])
    assert ready.check(1) == Report(rows)  # what needs the packages is not looked at without them
    assert ready.main() == 1
    assert capsys.readouterr().out == (
        "ok     Python    Python 3.11\nFAULT  packages  not installed: aiohttp\n       → Install them.\n\n"
        "1 thing is to be put right before you begin.\n"
    )


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "1001", "1.5", "²"])
def test_a_wrong_number_of_students(
    number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ready.py", f"--students={number}"])
    with pytest.raises(SystemExit, match="2"):
        ready.main()
    assert f"{number!r} is no number of students from 1 to 1000" in capsys.readouterr().err


@pytest.mark.soak  # `.ci/run` does the same
def test_this_machine_is_ready_for_one_student() -> None:
    command = [sys.executable, "docs/ready.py", "--students", "1"]
    done = subprocess.run(command, cwd=notebook_file.ROOT, capture_output=True, text=True, timeout=300)
    rows = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAULT "))]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert len(rows) == 16 and rows[-1].startswith("ok     the first timeline, within 10 s  ")
    assert shutil.which("git") and "git" not in done.stdout  # which only a class needs
