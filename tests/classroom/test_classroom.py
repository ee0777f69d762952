"""The rehearsal itself: no failure goes unseen, shared memory counts once, and the proxy comes from any registry."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import aiohttp
import pytest

from memory import Peaks
from report import Rehearsal
from student import Failure, Student, execute

ERROR = {"ename": "ValueError", "evalue": "x", "traceback": ["ValueError: x"]}
SEEN = [("ValueError: x", "ValueError: x")]


class Socket:
    """A kernel's websocket that answers each cell with `messages`: (type, content, whether it is this cell's)."""

    def __init__(self, *messages: tuple[str, dict, bool], buffers: bool = False) -> None:
        self.messages, self.buffers, self.request = iter(messages), buffers, ""

    async def send_json(self, message: dict) -> None:
        self.request = message["header"]["msg_id"]

    async def receive(self) -> types.SimpleNamespace:
        kind, content, own = next(self.messages, ("", {}, False))
        if not kind:
            return types.SimpleNamespace(type=aiohttp.WSMsgType.CLOSED, data=None, extra="")
        parent = {"msg_id": self.request if own else "another"}
        text = json.dumps({"header": {"msg_type": kind}, "parent_header": parent, "content": content})
        if not self.buffers:
            return types.SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data=text)
        numbers = (2, 12, 12 + len(text))
        data = b"".join(number.to_bytes(4) for number in numbers) + text.encode() + b"\xff picture"
        return types.SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=data)


def reply(status: str) -> tuple[str, dict, bool]:
    return ("execute_reply", {"status": status}, True)


IDLE = ("status", {"execution_state": "idle"}, True)
OTHERS_IDLE = ("status", {"execution_state": "idle"}, False)


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([IDLE, reply("ok")], []),
        ([OTHERS_IDLE, reply("error"), ("error", ERROR, True), IDLE], SEEN),
        ([("error", ERROR, False), reply("ok"), IDLE], SEEN),  # of a task that an earlier cell left
        ([reply("aborted"), IDLE], [("the cell was not run: aborted", "")]),
    ],
)
@pytest.mark.parametrize("buffers", [False, True])
def test_a_cell_ends_with_its_reply_and_its_outputs_and_no_error_is_missed(messages, found, buffers):
    assert asyncio.run(execute(Socket(*messages, buffers=buffers), "1/0")) == found


@pytest.mark.parametrize(
    ("messages", "said"),
    [([reply("ok")], "was closed"), ([("status", {"execution_state": "restarting"}, False)], "kernel died")],
)
def test_a_kernel_that_is_gone_is_an_error(messages, said):
    with pytest.raises(ConnectionError, match=said):
        asyncio.run(execute(Socket(*messages), "import os; os.abort()"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_memory_that_two_processes_share_counts_once():
    # Forked, so that the second has the 100 MB of the first, and no page twice.
    code = "import os, time; data = b'x' * 100_000_000; os.fork(); print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "JUPYTERHUB_USER": "ada"},
        stdout=subprocess.PIPE,
        process_group=0,
    ) as server:
        try:
            server.stdout.readline(), server.stdout.readline()
            peaks = Peaks()
            peaks.look(os.getpid())
        finally:
            os.killpg(server.pid, 9)
    assert 100 < peaks.students["ada"] < 150 and 50 < peaks.servers["ada"] < 75
    assert peaks.total > peaks.students["ada"]


def test_every_failure_is_counted_and_named_once_with_all_who_met_it():
    ada, bob = (Student(name, None, start_seconds=2, seconds={"01.ipynb": 3}) for name in ("ada", "bob"))
    for student in (ada, bob):
        student.failures.append(Failure(student.name, "01.ipynb", 7, "ValueError: x", f"traceback of {student.name}"))
    peaks = Peaks(900, {"ada": 100, "bob": 120}, {"ada": 300, "bob": 340})
    rehearsal = Rehearsal({"JupyterHub": "6"}, 2, [ada, bob], 5, 60, peaks, ["python -c left"])
    text = rehearsal.text()
    assert rehearsal.faults == 3 and text.startswith("# A class of 2: 3 failures\n")
    assert text.count("01.ipynb, code cell 7: ValueError") == 1 and "by ada, bob." in text
    assert "traceback of ada" in text and "- python -c left" in text
    assert "| 01.ipynb [s] | 3 | 3 |" in text and "kernel and demos [MB] | 320 | 340 |" in text


def test_the_lock_of_the_proxy_names_no_registry():
    lock = json.loads(Path(__file__).with_name("package-lock.json").read_text("utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
