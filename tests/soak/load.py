"""Every chapter under load: it runs, and shows what is stored, on a machine that is slow, busy, or shared by a class.

`make soak` runs these tests, which take half an hour on two cores; for every day it is load enough that `make test`
runs four notebooks side by side. A learner is a pytest of its own, with a kernel of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import notebook_file

BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"  # ends by itself if this process is killed


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Let `count` processes compute during the block."""
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())]))
            stack.callback(process.kill)
        yield


def strictly(path: Path) -> list[str]:
    """Return the tests that compare the notebook at `path` with what is stored, cell by cell."""
    return [f"notebooks/{path.name}"]


def run_all(path: Path) -> list[str]:
    """Return the test that sends all cells of the notebook at `path` at once, to a fresh kernel."""
    return [f"notebooks/{path.name}::run_all"]


def learn(*learners: list[str]) -> None:
    """Start a pytest for each of `learners`, with these arguments, all at once; fail with what failed in them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.path.dirname(__file__)
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider"]
    options = {"cwd": notebook_file.ROOT, "env": environment, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = []
        for arguments in learners:
            processes.append(stack.enter_context(subprocess.Popen([*command, *arguments], **options)))
            stack.callback(processes[-1].kill)
        said = [process.communicate()[0] for process in processes]
    failed = [text for process, text in zip(processes, said, strict=True) if process.returncode]
    assert not failed, "\n".join([f"{len(failed)} of {len(said)} failed", *failed])


@pytest.mark.parametrize("way", [strictly, run_all])
@pytest.mark.parametrize("path", notebook_file.paths(), ids=lambda path: path.stem)
class TestChapter:
    """A chapter under each load, compared cell by cell and by Run All."""

    def test_no_sweep_has_time_for_more_than_its_first_size(self, path, way):
        learn(["-p", "tight_budgets", *way(path)])

    def test_eight_busy_loops(self, path, way):
        with busy_loops(8):
            learn(way(path))

    def test_ten_kernels_at_once(self, path, way):
        learn(*[way(path)] * 10)
