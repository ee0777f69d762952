"""All benchmarks, as one table and one picture: the code that is taught beside the peers that are installed.

    python tests/benchmarks [--effort long|usual|quick|tiny] [section …]

The sections: limiters, map, pipeline, processors, files, databases, trace, http, aggregator, scrapers, growth,
cpu, decisions.
The picture is build/benchmarks.png.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aggregator
import bench
import bounded_map
import databases
import decisions
import files
import growth
import http_clients
import pipelines
import processes
import processors
import rate_limiters
import scrapers
import trace_overhead

import picture
from asynclab.page.html import png

MEASURES: dict[str, Callable[[str], bench.Section]] = {
    "limiters": rate_limiters.measure,
    "map": bounded_map.measure,
    "pipeline": pipelines.measure,
    "processors": processors.measure,
    "files": files.measure,
    "databases": databases.measure,
    "trace": trace_overhead.measure,
    "http": http_clients.measure,
    "aggregator": aggregator.measure,
    "scrapers": scrapers.measure,
    "growth": growth.measure,
    "cpu": processes.measure,
    "decisions": decisions.measure,
}


def main() -> None:
    """Measure what was asked for, print the table, write the picture."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(MEASURES)}; all if none is named")
    parser.add_argument("--effort", choices=bench.EFFORTS, default="usual")
    parser.add_argument(
        "--quick", dest="effort", action="store_const", const="quick", help="the same as --effort quick"
    )
    parser.add_argument("--figure", type=Path, default=bench.ROOT / "build" / "benchmarks.png")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(MEASURES):
        parser.error(f"no section is called {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")

    began, before = time.perf_counter(), bench.conditions()
    print(before, flush=True)
    sections = []
    for name in options.sections or MEASURES:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        sections.append(MEASURES[name](options.effort))
        print(f"\n\n{sections[-1].text()}", flush=True)
    print("\n\n*: the best of its column. !: breaks the limit.")
    print(f"{time.perf_counter() - began:.0f} s in all. At the end: {bench.conditions()}.")
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    options.figure.write_bytes(png(picture.draw(sections, before)))
    print(f"The picture: {options.figure}")


if __name__ == "__main__":
    main()
