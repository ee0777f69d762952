"""CPython's own tests of asyncio: each has the same result while every loop that it runs is being traced.

`make soak` runs them, in some minutes, and skips them where Python came without its tests. As a script, this file
runs some of them, "traced" or "plain", and writes down what became of each.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import unittest
from asyncio import events
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import notebook_file
import trace_checks
from asynclab.tracing.recorder import _HOOKS, Trace

PACKAGE = "test.test_asyncio"
OUTCOMES = "outcomes.json"
REPEATS = 4  # of the tests that differ: some do so by chance, with or without a trace


def test_a_trace_changes_no_result(tmp_path):
    pytest.importorskip(PACKAGE, reason="this Python came without its own tests")
    plain, traced = both_ways(tmp_path, PACKAGE)
    assert len(plain) > 2000
    assert plain.keys() == traced.keys()
    seen = {name: ({plain[name]}, {traced[name]}) for name in plain if plain[name] != traced[name]}
    wrong = {name for name in traced if traced[name] == "wrong trace"}
    for _ in range(REPEATS if seen else 0):
        for way, outcomes in enumerate(both_ways(tmp_path, *seen)):
            for name, outcome in outcomes.items():
                seen[name][way].add(outcome)
    differ = {name: ways for name, ways in seen.items() if name in wrong or ways[0].isdisjoint(ways[1])}
    assert not differ


def both_ways(folder: Path, *names: str) -> list[dict[str, str]]:
    """Run tests plain and traced, side by side; return what became of each, both ways."""

    def run_in_a_process(way: str) -> dict[str, str]:
        here = folder / way
        here.mkdir(exist_ok=True)
        path = os.pathsep.join(str(notebook_file.ROOT / name) for name in ("notebooks", "tests/tools"))
        command, environment = [sys.executable, __file__, way, *names], os.environ | {"PYTHONPATH": path}
        subprocess.run(command, cwd=here, env=environment, timeout=1200, check=True)
        return json.loads((here / OUTCOMES).read_text())

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run_in_a_process, ("plain", "traced")))


# ------------------------------------------------------------ in a process of its own


class Traces:
    """A trace of each loop that is run from now on."""

    def __init__(self) -> None:
        self._running = 0
        self._over: list[tuple[Trace, set[str]]] = []
        self._run_forever = asyncio.BaseEventLoop.run_forever
        asyncio.BaseEventLoop.run_forever = lambda loop: self._run(loop)

    def _run(self, loop: asyncio.BaseEventLoop) -> None:
        if loop.is_closed() or events._get_running_loop() is not None:
            return self._run_forever(loop)  # which raises an error
        before, trace = set(vars(loop)), Trace()
        trace._recorder.start(loop, None, everything=True)  # not by a task or a callback, which a test might see
        self._running += 1
        try:
            self._run_forever(loop)
        finally:
            trace.__exit__()
            self._running -= 1
            self._over.append((trace, set(vars(loop)) - before))

    def check(self) -> None:
        """Raise AssertionError if one of those that are over is wrong, or left something behind."""
        if self._running:  # in another thread: to be checked after a later test
            return
        over, self._over = self._over, []
        for trace, left in over:
            assert left.isdisjoint(_HOOKS)
            trace_checks.check_invariants(trace)


class Outcomes(unittest.TestResult):
    """What became of each test, in a word or two; `check` is called after each."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self.of: dict[str, str] = {}
        self._check = check

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.of[test.id()] = "ok"

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        try:
            self._check()
        except AssertionError:
            self._note(test, "wrong trace", sys.exc_info())

    def addError(self, test: unittest.TestCase, error: tuple) -> None:
        self._note(test, "failed", error)

    addFailure = addError

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, error: tuple | None) -> None:
        if error:
            self._note(test, "failed", error)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.of[test.id()] = "skipped"

    def addExpectedFailure(self, test: unittest.TestCase, error: tuple) -> None:
        self.of[test.id()] = "failed as expected"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.of[test.id()] = "succeeded unexpectedly"

    def _note(self, test: unittest.TestCase, outcome: str, error: tuple) -> None:
        self.of[test.id()] = outcome
        print(test.id(), outcome, self._exc_info_to_string(error, test), file=sys.stderr)


def main(way: str, *names: str) -> None:
    """Run the tests of these names; write what became of each into the working directory."""
    outcomes = Outcomes(Traces().check if way == "traced" else lambda: None)
    # In the background an interrupt is ignored, and a test of it would wait forever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # many of the tests collect garbage: they need not look at all that is imported here
    unittest.defaultTestLoader.loadTestsFromNames(names).run(outcomes)
    Path(OUTCOMES).write_text(json.dumps(outcomes.of))


if __name__ == "__main__":
    main(*sys.argv[1:])
