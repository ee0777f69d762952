"""The rules of nbval_sanitize.cfg blank what differs between two runs, and nothing else."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

from asynclab.page import table as tables
from asynclab.page.numbers import duration, percent, ratio, size
from asynclab.plots import history

RULES = dict(get_sanitize_patterns(Path(__file__).with_name("nbval_sanitize.cfg").read_text("ascii")))


def sanitize(text: str) -> str:
    """Return `text` as nbval compares it."""
    for pattern, replacement in RULES.items():
        text = re.sub(pattern, replacement, text)
    return text


MOMENTS = "<!-- moments, as measured --><p>{}\n</p><!-- end of the moments -->"

# Two runs of the same notebook.
ALIKE = [
    ("took 301 ms", "took 1.02 s"),
    ("took 999 µs", "took 12.0 ns"),
    ("took 1,234 s", "took 0 s"),
    ("took -12.3 ms", "took 5.00 ms"),
    ("took nan s, inf s", "took 1.00 s, 2.00 s"),
    ("301 ms: three tasks", "99.1 ms: three tasks"),
    ("4.99x as fast", "0.501x as fast"),
    ("1,204x", "infx"),
    ("busy 100 %.", "busy 0 %."),
    ("16.0 KiB", "512 B"),
    ("1.00 GiB/s", "3.12 MiB/s"),
    ("queue:  5 at most, above", "queue:  1,234 at most, above"),
    ("task     301 ms      4.99x  done", "task    1.02 s        12x  done"),
    (
        '<img alt="a b" src="data:image/png;base64,iVBOR+/3x==">',
        '<img alt="a b" src="data:image/png;base64,AA12x/9=">',
    ),
    (f"a{MOMENTS.format('boss')}b", f"a{MOMENTS.format('worker')}b"),
    ("<Server object at 0x7f3a5c1d2e80>", "<Server object at 0x55d0c0ffee00>"),
    ('File "/tmp/ipykernel_4711/123456.py", line 2', 'File "/var/folders/x/T/ipykernel_9/7.py", line 2'),
    ("<Task running at /tmp/ipykernel_1/2.py:3>", "<Task running at /private/tmp/ipykernel_34/5.py:3>"),
    ("http://127.0.0.1:43561/users", "http://127.0.0.1:8080/users"),
    ("('127.0.0.1', 43561)", "('127.0.0.1', 80)"),
    ("<Task pending name='Task-12'>", "<Task pending name='Task-1234'>"),
    ("worker (pid 4711)", "worker (pid 12)"),
    ("Python 3.11.7 on Linux", "Python 3.14.0rc1+ on Linux"),
]

# What a notebook teaches: a difference here is a failure.
UNLIKE = [
    ("5 tasks", "6 tasks"),
    (f"{MOMENTS.format(1)}a{MOMENTS.format(2)}", f"{MOMENTS.format(1)}b{MOMENTS.format(2)}"),
    ("5 tasks", " 5 tasks"),
    ("5 seconds", "6 seconds"),
    ("wait 0.3", "wait 0.2"),
    ("wait 0.3  done  301 ms", "wait 0.2  done  301 ms"),
    ("3 steps", "4 steps"),
    ("status 200", "status 503"),
    ("[1, 2, 3]", "[1, 3, 2]"),
    ("2x2 = 4", "3x3 = 9"),
    ("0x10", "0x11"),
    ("at 0xff", "at 0xfe"),
    ("301 ms", "301 KiB"),
    ("301 ms", "301 %"),
    ("301 ms", "4.99x"),
    ("ran 301 ms, done", "ran 301 ms, cancelled"),
    ("12 max", "13 max"),
    ("at most 12", "at most 13"),
    ("12 at mostly", "13 at mostly"),
    ("5 at most", "5 at least"),
    ("v1.2.3 s", "v1.2.4 s"),
    ("Task-1 before Task-2", "Task-2 before Task-1"),
    ("127.0.0.1", "127.0.0.2"),
    ("localhost:8080", "localhost:8081"),
    ("port 8080", "port 8081"),
    ("Python 3.11", "Python 3.12"),
    ("aiohttp 3.14.5", "aiohttp 3.14.6"),
    ("rapid 12", "rapid 13"),
    ('<img alt="two tasks" src="data:image/png;base64,AA">', '<img alt="six tasks" src="data:image/png;base64,AA">'),
    ('<img width="960" src="data:image/png;base64,AA">', '<img width="740" src="data:image/png;base64,AA">'),
    ("<A object at 0x7f3a5c1d2e80>", "<B object at 0x7f3a5c1d2e80>"),
    ("ipykernel_1/2.py:3", "ipykernel_1/2.py:4"),
    ("a.py", "b.py"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_two_runs_are_alike(one: str, other: str) -> None:
    assert one != other
    assert sanitize(one) == sanitize(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_a_difference_stays(one: str, other: str) -> None:
    assert sanitize(one) != sanitize(other)


@pytest.mark.parametrize("pattern", RULES)
def test_every_rule_is_needed(pattern: str) -> None:
    others = {each: RULES[each] for each in RULES if each != pattern}

    def without(text: str) -> str:
        for each, replacement in others.items():
            text = re.sub(each, replacement, text)
        return text

    assert any(without(one) != without(other) for one, other in ALIKE)


@pytest.mark.parametrize("form", [duration, ratio, percent, size, history.at_most])
def test_every_printed_number_is_blanked(form: Callable[[float], str]) -> None:
    """Whatever the formatter prints, at whatever width of its column, is the same after the rules."""
    rng = random.Random(0)
    values = [0, 1, 0.9996, 999.6, 1023.7, 1e-9, 1e9, float("inf"), float("nan")]
    values += [rng.uniform(0.1, 10) * 10 ** rng.uniform(-9, 6) for _ in range(2000)]
    values += [-value for value in values]
    shown = {sanitize(f"|{form(value):>{width}}|") for value in values for width in (0, 8, 10)}
    assert len(shown) == 1, shown


def test_a_table_keeps_its_structure() -> None:
    """Two tables that differ in their numbers are alike; in a task, its end or their order they are not."""

    def table(names: str, seconds: float, end: str = "done") -> str:
        header = ("task", "outcome", "ran", "share")
        rows = [(name, end, duration(seconds), percent(seconds / 3)) for name in names]
        return sanitize(tables.table(header, rows, words=("outcome",)))

    assert table("abc", 0.301) == table("abc", 2.5) == table("abc", 4e-7)
    assert len({table("abc", 1), table("acb", 1), table("ab", 1), table("abc", 1, "cancelled")}) == 4
