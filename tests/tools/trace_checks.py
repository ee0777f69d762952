"""What holds of any trace, for the tests of the recorder and for CPython's own tests of asyncio under a trace."""

import asyncio
import itertools
from asyncio import events

from asynclab.tracing import recorder

GENUINE_RUN = events.Handle._run


async def nap(seconds=0.01):
    await asyncio.sleep(seconds)


def row(trace, name):
    """The one row of that name."""
    found = [row for row in trace.tasks if row.name == name]
    assert len(found) == 1, (name, trace.tasks)
    return found[0]


def check_invariants(trace):
    """What holds of any trace."""
    tick = 1e-9  # rounding of a float
    spans = sorted((step.start, step.end) for row in trace.tasks for step in row.steps)
    spans += [(callback.start, callback.end) for callback in trace.callbacks]
    spans.sort()
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start + tick, "two things ran at once on one loop"
    for row in trace.tasks:
        assert 0 <= row.created <= trace.duration
        for step in row.steps:
            assert row.created <= step.ready + tick
            assert step.ready <= step.start + tick
            assert step.start <= step.end <= trace.duration + tick
        for before, after in zip(row.steps, row.steps[1:], strict=False):
            assert before.end <= after.ready + tick
        if row.outcome in ("done", "cancelled", "raised"):
            assert row.steps[-1].end == row.finished
            assert row.steps[-1].awaiting is None
        assert (row.outcome == "pending") == (row.finished is None)
        assert (row.outcome == "raised") == bool(row.error)
        assert row._task is None
    assert_no_residue()


def assert_no_residue():
    assert events.Handle._run is GENUINE_RUN
    assert recorder._inside.get() == ()
