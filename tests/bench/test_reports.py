"""The plain halves of background jobs: a report has the numbers of `data/`, and its process is there when asked for."""

import csv
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from asynclab import reports
from asynclab.people import build_database
from asynclab.taught import NOTEBOOKS

DATA = Path(__file__).parents[2] / "data"


def orders():
    with (DATA / "orders.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("report_type", "group"),
    [
        ("Daily Sales", lambda order: order["date"]),
        ("Monthly Sales", lambda order: order["date"][:7]),
        ("Yearly Sales", lambda order: order["date"][:4]),
        ("Sales by Item", lambda order: order["item"]),
    ],
)
def test_a_report_adds_up_the_orders(tmp_path, report_type, group):
    build_database(tmp_path / "shop.db")
    expected = Counter()
    for order in orders():
        expected[group(order)] += round(100 * float(order["amount"]))
    found = reports.report(report_type, tmp_path / "shop.db", tmp_path / "a.png")
    assert found == {
        "report": report_type,
        "orders": len(orders()),
        "total": sum(expected.values()) / 100,
        "totals": {name: cents / 100 for name, cents in sorted(expected.items())},
    }
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_letter_has_one_line_for_each_header():
    letter = reports.letter("ada@example.com", "Größe")
    assert (letter["To"], letter["Subject"]) == ("ada@example.com", "Größe")
    for wrong in (("ada@example.com\nBcc: eve@example.com", "A"), ("ada@example.com", "A\nBcc: eve@example.com")):
        with pytest.raises(ValueError, match="linefeed|newline"):
            reports.letter(*wrong)


@pytest.mark.skipif(os.name != "posix", reason="about signals of POSIX")
def test_there_is_one_process_and_another_when_it_has_died():
    with reports.process() as pool:
        assert reports.process() is pool
        [process] = pool._processes.values()
        assert pool.submit(os.getpid).result(60) == process.pid
        os.kill(process.pid, signal.SIGINT)  # the Stop button, which is not meant for it
        assert pool.submit(os.getpid).result(60) == process.pid
        process.kill()
        process.join()
        with pytest.raises(BrokenProcessPool):
            pool.submit(os.getpid).result(60)
        with reports.process() as another:
            assert another.submit(os.getpid).result(60) != process.pid
    assert reports.process() is not another
    reports.process().shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ExecutorManager")]


@pytest.mark.skipif(os.name != "posix", reason="about signals of POSIX")
def test_the_process_ends_when_the_program_is_killed():
    program = "from asynclab import reports; import time; reports.process().submit(int).result(); print('ready')"
    command = [sys.executable, "-uc", f"if __name__ == '__main__':\n {program}; time.sleep(600)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=NOTEBOOKS) as killed:
        assert killed.stdout.readline() == "ready\n"
        killed.kill()
        assert killed.communicate(timeout=60) == ("", None)  # nobody is left who could write there
