"""A kernel that is killed in the middle of a cell leaves no process and no port, and of files only the lesson's own."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time

import pytest

import notebook_file
from asynclab.services.postgresql import PostgreSQL
from bad_days import CELL_TIMEOUT, bad_day, cells
from servers import refused, wait_until

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds processes by what /proc says of them")

# For each notebook the cell in which the most is alive, how many processes that is (the kernel is one of them), and
# how many temporary folders the lesson's own code holds then. These a killed Python leaves, on every system.
KILLED_IN = {
    "00_start_here": ("four-tasks-traced", 1, 0),
    "00_start_here_deeper": ("one-run-works", 2, 0),
    "01_basic_async_await": ("toast-and-tea-check", 1, 0),
    "01_basic_async_await_deeper": ("growth-plot", 1, 0),
    "02_async_http_requests": ("first-fetch-run", 2, 0),
    "02_async_http_requests_deeper": ("one-loop-run", 2, 1),
    "03_concurrency_patterns": ("example-run", 2, 0),
    "03_concurrency_patterns_deeper": ("pipeline-run", 2, 0),
    "04_async_context_managers": ("files-explored", 1, 2),
    "04_async_context_managers_deeper": ("trap-waiting", 1, 2),
    "04_database_servers_deeper": ("hundred-waits", 11, 1),
    "05_real_world_applications": ("real-jobs", 4, 1),
    "05_real_world_applications_deeper": ("stoppable-run", 5, 1),
    "06_best_practices": ("shop-run", 3, 0),
    "06_best_practices_deeper": ("own-found-run", 2, 0),
    "07_performance_comparison": ("computed", 4, 0),
    "07_performance_comparison_deeper": ("pools-compared", 4, 0),
    "08_patterns_summary": ("messages-provoked", 7, 0),
    "08_price_watcher_project": ("sigterm", 3, 1),
}
QUICK = {"00_start_here_deeper", "04_database_servers_deeper"}
PATHS = [
    pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.soak)
    for path in notebook_file.paths()
]


@pytest.mark.parametrize("path", PATHS)
def test_it_leaves_no_process_no_port_and_of_files_only_the_lessons(path):
    name, alive, folders = KILLED_IN[path.stem]
    before = list(itertools.takewhile(lambda cell: cell.id != name, cells(path)))
    (cell,) = (cell for cell in cells(path) if cell.id == name)
    with bad_day() as day, day.kernel() as kernel:
        for each in before:
            assert kernel.run(each.source, CELL_TIMEOUT).problem == ""
        kernel.start(cell.source)
        if path.stem == "04_database_servers_deeper" and not PostgreSQL.available():
            alive = 1
        wait_until(lambda: len(day.processes()) >= alive, 30)
        time.sleep(0.2)
        ports = day.ports()
        os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
        wait_until(lambda: not day.processes(), 10)
        wait_until(lambda: all(refused(("127.0.0.1", port)) for port in ports), 5)
        left = day.files()
        assert len(left) == folders and all(re.fullmatch(r"tmp\w{8}", each) for each in left), left
