"""The kernel helper tells what a cell did, whatever it did."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.connect import LocalPortCache

from kernels import Kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for all tests here: none leaves a trace that another would see."""
    with Kernel(tmp_path_factory.mktemp("cwd")) as kernel:
        yield kernel


def test_a_cell_that_succeeds(kernel: Kernel) -> None:
    reply = kernel.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay('shown')\n40 + 2")
    assert (reply.status, reply.text, reply.stderr, reply.errors) == ("ok", "out\n", "err\n", [])
    assert reply.results == [{"text/plain": "'shown'"}, {"text/plain": "42"}]
    assert kernel.run("_ + Out[max(Out)]").results == [{"text/plain": "84"}]  # a history is kept


def test_it_is_this_interpreter_in_that_directory(kernel: Kernel) -> None:
    reply = kernel.run("import sys, os; print(sys.prefix, os.listdir())")
    assert reply.text == f"{sys.prefix} []\n"


@pytest.mark.parametrize(
    ("code", "name", "shown"),
    [
        ("1 / 0", "ZeroDivisionError", ["ZeroDivisionError"]),
        ("raise ExceptionGroup('both', [ValueError(), KeyError()])", "ExceptionGroup", []),  # hence nbval's blind spot
        ("%nonsense", "UsageError", []),
        ("1 +", "SyntaxError", ["SyntaxError"]),
    ],
)
def test_a_cell_that_fails(kernel: Kernel, code: str, name: str, shown: list[str]) -> None:
    reply = kernel.run(code)
    assert (reply.status, reply.ename, reply.errors) == ("error", name, shown)
    assert kernel.run("'and on'").status == "ok"


def test_cells_sent_at_once_run_in_order_until_one_fails(kernel: Kernel) -> None:
    begun = len(kernel.started)
    sent = [kernel.start(code) for code in ("import time; time.sleep(0.05)", "1 / 0", "print('never')")]
    assert [kernel.wait(each).status for each in sent] == ["ok", "error", "aborted"]
    assert kernel.started[begun:] == sent[:2]


# A kernel that only waits notices a signal when its loop next wakes up; begin() of asynclab sees to that.
@pytest.mark.parametrize(
    "wait", ["import time\ntime.sleep(60)", "import asyncio\nfor _ in range(600):\n    await asyncio.sleep(0.1)"]
)
def test_interrupt(kernel: Kernel, wait: str) -> None:
    cell = kernel.start(f"print('waiting')\n{wait}")
    kernel.wait_until_printed(cell, "waiting")
    kernel.interrupt()
    assert kernel.wait(cell).ename in {"KeyboardInterrupt", "CancelledError"}


def test_displays_are_updated_and_cleared(kernel: Kernel) -> None:
    reply = kernel.run("handle = display(1, display_id=True)\nprint(2)\nhandle.update(3)")
    assert (reply.results, reply.text) == ([{"text/plain": "3"}], "2\n")
    kernel.run("handle.update(4)")
    assert reply.results == [{"text/plain": "4"}]
    reply = kernel.run("from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)")
    assert reply.text == "2\n"
    reply = kernel.run("print(1)\nclear_output(wait=True)\nprint(2)\nclear_output(wait=True)")
    assert reply.text == "2\n"


def test_late_output_is_counted(kernel: Kernel) -> None:
    code = "import asyncio\ngate = asyncio.Event()\nasync def later():\n    await gate.wait()\n    print('late')\n"
    first = kernel.run(code + "task = asyncio.create_task(later())")
    second = kernel.run("gate.set()\nawait task")
    assert (first.late, first.text, second.late, second.text) == (1, "late\n", 0, "")


@pytest.mark.parametrize(
    ("code", "warning"),
    [
        ("open('made', 'w')\nNone", "ResourceWarning: unclosed file"),
        ("async def f(): pass\nf()\nNone", "coroutine 'f' was never awaited"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "DeprecationWarning: old"),
    ],
)
def test_warnings_are_seen(kernel: Kernel, code: str, warning: str) -> None:
    assert warning in kernel.run(code).stderr


def test_what_child_processes_print_is_seen(kernel: Kernel) -> None:
    """It is not if the kernel inherits pytest's environment."""
    reply = kernel.run("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(1)'], check=True)\nNone")
    # It comes by a pipe of its own, perhaps only after the cell.
    kernel._pump_until(lambda: reply.text == "1\n", 10, "the child's output")


def test_a_bound_on_the_time(kernel: Kernel) -> None:
    cell = kernel.start("import time\ntime.sleep(60)")
    with pytest.raises(TimeoutError, match=r"0\.1 s"):
        kernel.wait(cell, timeout=0.1)
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    with pytest.raises(RuntimeError, match="without printing 'x'"):
        kernel.wait_until_printed(kernel.start("print('y')"), "x")


def test_a_dead_kernel_is_noticed_and_nothing_is_left(tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        with pytest.raises(RuntimeError, match="died"):
            kernel.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        assert not kernel.is_alive()
    kernel.stop()
    assert not Path(kernel._directory.name).exists()


def test_a_port_that_another_program_took_costs_a_second_start_only(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def find_available_port(cache, ip):
            chosen.append(genuine(cache, ip) if chosen else other.getsockname()[1])
            return chosen[-1]

        chosen, genuine = [], LocalPortCache.find_available_port
        monkeypatch.setattr(LocalPortCache, "find_available_port", find_available_port)
        monkeypatch.setattr(Kernel, "transport", "tcp")
        with Kernel(cwd=tmp_path) as kernel:
            assert kernel.run("print(42)").text == "42\n"
    assert len(chosen) == 10  # two starts, of five ports each


def test_a_kernel_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "PYTHONPATH", os.fspath(tmp_path))
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('no kernel today')")
    with pytest.raises(RuntimeError, match="no kernel today"):
        Kernel(cwd=tmp_path)
