"""What chapter 1 teaches about waits, on a virtual clock: which of its functions add them up, and which do not."""

import pytest

from asynclab.taught import taught
from virtual_time import Clock, play

m = taught(1)

# A coroutine function; what it takes, in seconds; what it returns.
FUNCTIONS = [
    (m.async_operation, 1.0, "Done"),
    (m.sequential_example, 1.5, ["Result from Task-1", "Result from Task-2"]),
    (m.concurrent_example, 1.0, ["Result from Task-1", "Result from Task-2", "Result from Task-3"]),
    (m.await_in_a_loop, sum(m.DELAYS), [f"Result from job {delay}" for delay in m.DELAYS]),
    (m.start_then_await, max(m.DELAYS), [f"Result from job {delay}" for delay in m.DELAYS]),
]


@pytest.mark.parametrize(("function", "seconds", "result"), FUNCTIONS, ids=[each[0].__name__ for each in FUNCTIONS])
def test_waits_add_up_or_overlap(function, seconds, result):
    clock = Clock()
    began = clock.now
    assert play(function, clock) == result
    assert clock.now - began == pytest.approx(seconds, abs=1e-3)
