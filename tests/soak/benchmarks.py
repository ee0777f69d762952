"""The benchmarks run to their end, with the peers that are installed and without any."""

import os
import re
import subprocess
import sys

import pytest

import notebook_file

BENCHMARKS = notebook_file.ROOT / "tests" / "benchmarks"
# All but aiolimiter, which the chapter itself needs.
PEERS = [
    "aioitertools",
    "aiojobs",
    "aiometer",
    "aiostream",
    "anyio",
    "asyncio_pool",
    "asyncio_throttle",
    "asynciolimiter",
    "httpx",
    "httpx2",
    "limits",
    "pyrate_limiter",
    "requests",
    "scrapy",
    "throttler",
    "viztracer",
]
SECTIONS = {
    "limiters": "AsyncRateLimiter",
    "map": "bounded_map",
    "pipeline": "producer_consumer_example",
    "processors": "AsyncTaskProcessor",
    "files": "process_files",
    "databases": "AsyncDatabaseConnection",
    "trace": "asynclab",
    "http": "fetch_multiple_urls",
    "aggregator": "AsyncAPIAggregator",
    "scrapers": "AsyncWebScraper",
    "growth": "asyncio",
    "cpu": "a pool, in chunks",
    "decisions": "predict",
}


def run(*arguments, **variables):
    """Run the benchmarks; return what they print."""
    command = [sys.executable, "-W", "error", BENCHMARKS, "--effort", "tiny", *arguments]
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, encoding="utf-8", timeout=240
    )
    assert done.returncode == 0, done.stderr
    unexpected = [line for line in done.stderr.splitlines() if not line.startswith("measuring: ")]
    assert not unexpected, done.stderr
    return done.stdout


@pytest.fixture
def without_peers(tmp_path):
    """A folder in which every peer is found, and none can be imported."""
    folder = tmp_path / "missing"
    folder.mkdir()
    for name in PEERS:
        (folder / f"{name}.py").write_text("raise ImportError('this one is not installed')\n")
    return folder


def test_everything_is_measured_and_drawn(tmp_path):
    said = run("--figure", str(tmp_path / "new" / "figure.png"))
    assert re.match(r"CPython 3\.\d+\.\d+, \w+, \d+ cores, load .*one turn of the event loop", said)
    for row in SECTIONS.values():
        assert re.search(rf"^{row}  +\S", said, re.MULTILINE), row
    assert (tmp_path / "new" / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_peers_that_are_missing_are_left_out_and_named(tmp_path, without_peers):
    said = run("--figure", str(tmp_path / "figure.png"), PYTHONPATH=str(without_peers))
    named = re.findall(r"^Not installed, so left out: (.*)\.$", said, re.MULTILINE)
    assert {name for names in named for name in names.split(", ")} == set(PEERS)
    for name, row in SECTIONS.items():
        assert re.search(rf"^{row}  +\S", said, re.MULTILINE), name
    assert "Semaphore + gather" in said
    assert "throttler  " not in said
    assert (tmp_path / "figure.png").exists()


def test_a_section_that_does_not_exist_is_refused():
    command = [sys.executable, BENCHMARKS, "limits"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=240)
    assert done.returncode == 2
    assert f"no section is called limits; there are {', '.join(SECTIONS)}" in done.stderr
