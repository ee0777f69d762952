"""What a trace costs: processor time for a step of a task, untraced and traced, measured side by side.

    python tests/benchmarks/trace_overhead.py [--recorder FILE:CLASS ...]

A step is one `await asyncio.sleep(0)`: nothing but the loop's own work, so that all the rest is the recorder's.
`--recorder` adds another recorder, a context manager in a Python file, to the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))

from asynclab import figures
from asynclab.tracing import Trace

STEPS, TURNS = 30_000, 9
Recorder = Callable[[], AbstractContextManager]


async def steps(count: int) -> None:
    """Take `count` steps."""
    for _ in range(count):
        await asyncio.sleep(0)


async def seconds_per_step(recorder: Recorder) -> float:
    """Return the processor time of one step of a task, in seconds, while `recorder` records."""
    with recorder():
        began = time.process_time()
        await asyncio.create_task(steps(STEPS))
        return (time.process_time() - began) / STEPS


async def bytes_per_step(recorder: Recorder) -> float:
    """Return the memory that a recorder keeps for one step, in bytes."""
    tracemalloc.start()
    with recorder():
        before, _ = tracemalloc.get_traced_memory()
        await asyncio.create_task(steps(STEPS))
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / STEPS


def load(place: str) -> Recorder:
    """Return the class named by FILE:CLASS."""
    file, _, name = place.rpartition(":")
    sys.path.insert(0, str(Path(file).parent))
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    module = sys.modules[Path(file).stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorder", action="append", default=[], metavar="FILE:CLASS")
    others = parser.parse_args().recorder
    recorders: dict[str, Recorder] = {"untraced": contextlib.nullcontext, "asynclab": Trace}
    recorders |= {Path(place.rpartition(":")[0]).stem: load(place) for place in others}

    runs: dict[str, list[float]] = {name: [] for name in recorders}
    for _ in range(TURNS):  # by turns, so that a machine that slows down slows all of them
        for name, recorder in recorders.items():
            runs[name].append(asyncio.run(seconds_per_step(recorder)))
    median = {name: statistics.median(each) for name, each in runs.items()}
    plain = median["untraced"]
    rows = [
        (
            name,
            figures.duration(median[name]),
            figures.duration(min(each)),
            figures.duration(max(median[name] - plain, 0)),
            figures.ratio(median[name] / plain),
            figures.size(asyncio.run(bytes_per_step(recorders[name]))),
        )
        for name, each in runs.items()
    ]
    title = f"Processor time of a step, Python {platform.python_version()}, {TURNS} turns of {STEPS:,} steps"
    print(figures.table(("recorder", "median", "fastest", "added", "ratio", "memory"), rows, title))


if __name__ == "__main__":
    main()
