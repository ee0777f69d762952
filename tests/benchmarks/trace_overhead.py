"""What a trace costs: processor time for a step of a task, untraced and traced, measured side by side.

    python tests/benchmarks/trace_overhead.py [--effort quick] [--recorder FILE:CLASS ...]

A step is one `await asyncio.sleep(0)`: nothing but the loop's own work, so that all the rest is the recorder's.
`--recorder` adds another recorder, a context manager in a Python file, to the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import bench
from bench import Column, Row, Section, peer

from asynclab.page.numbers import duration, percent, ratio, size
from asynclab.tracing.recorder import Trace

Recorder = Callable[[], AbstractContextManager]
UNTRACED, OURS, VIZTRACER = "untraced", "asynclab", "viztracer"
SIZES = {"long": (30_000, 21), "usual": (30_000, 9), "quick": (10_000, 5), "tiny": (300, 2)}  # steps, turns


@contextlib.contextmanager
def viztracer() -> Iterator[None]:
    """Record with viztracer as it is used for asyncio, without saving the file."""
    tracer = peer(VIZTRACER).VizTracer(log_async=True, verbose=0)
    tracer.start()
    try:
        yield
    finally:
        tracer.stop()
        tracer.clear()


async def steps(count: int) -> None:
    """Take `count` steps."""
    for _ in range(count):
        await asyncio.sleep(0)


async def seconds_per_step(recorder: Recorder, count: int) -> float:
    """Return the processor time of one step of a task, in seconds, while `recorder` records."""
    with recorder():
        began = time.process_time()
        await asyncio.create_task(steps(count))
        return (time.process_time() - began) / count


async def bytes_per_step(recorder: Recorder, count: int) -> float:
    """Return the memory that a recorder keeps for one step, in bytes, as far as Python knows of it."""
    tracemalloc.start()
    with recorder():
        before, _ = tracemalloc.get_traced_memory()
        await asyncio.create_task(steps(count))
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / count


def load(place: str) -> Recorder:
    """Return the class named by FILE:CLASS."""
    file, _, name = place.rpartition(":")
    sys.path.insert(0, str(Path(file).parent))
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    module = sys.modules[Path(file).stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


COLUMNS = [
    Column("a step", duration, min),
    Column("added", duration, min, ("≤", 2.0e-6)),
    Column("to ours", ratio, None, drawn=False),
    Column("of untraced", ratio, min),
    Column("fastest", duration, min, drawn=False),
    Column("spread", percent, None, drawn=False),
    Column("memory", size, None),
]


def measure(effort: str = "usual", others: tuple[str, ...] = ()) -> Section:
    """Measure all recorders, by turns."""
    count, turns = SIZES[effort]
    recorders: dict[str, Recorder] = {UNTRACED: contextlib.nullcontext, OURS: Trace}
    recorders |= {VIZTRACER: viztracer} if peer(VIZTRACER) else {}
    recorders |= {Path(place.rpartition(":")[0]).stem: load(place) for place in others}
    runs: dict[str, list[float]] = {name: [] for name in recorders}
    for _, (name, recorder) in itertools.product(range(turns), recorders.items()):
        runs[name].append(bench.run(seconds_per_step(recorder, count)))

    rows: dict[str, Row] = {}
    plain = bench.median(runs[UNTRACED])
    for name, each in runs.items():
        median = bench.median(each)
        rows[name] = {
            "a step": median,
            "of untraced": median / plain,
            "fastest": min(each),
            "spread": bench.spread(each),
        }
        if name != UNTRACED:
            rows[name]["added"] = max(median - plain, 0)
        if name not in (UNTRACED, VIZTRACER):  # viztracer's memory is not Python's
            rows[name]["memory"] = bench.run(bytes_per_step(recorders[name], count))
    bench.against(rows, OURS, "added")
    title = f"Trace: processor time of a step, {turns} turns of {count:,} steps"
    return Section(title, COLUMNS, [OURS], rows, beside=[UNTRACED], absent=bench.absent([VIZTRACER]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--effort", choices=bench.EFFORTS, default="usual")
    parser.add_argument("--recorder", action="append", default=[], metavar="FILE:CLASS")
    options = parser.parse_args()
    print(bench.conditions(), "\n", measure(options.effort, tuple(options.recorder)).text(), sep="\n")
