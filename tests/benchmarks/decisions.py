"""Prediction beside measurement: the formula that chapter 7 decides with, and the four ways run as its explorer does.

    python tests/benchmarks/decisions.py [--effort quick]

A setting is a number of jobs, how long each lasts, how much of that it computes, and a number of cores. "Within 25 %"
is the share of all times, four of each setting, that the prediction misses by no more; "settings" the share of those in
which it misses none; "winner" the share in which the way that was predicted to be the fastest was it, or came within
10 % of it. Of the two runs of a way the faster counts: other work on the machine, of which the formula knows nothing,
only adds to a time. On a busy machine, expect less all the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import bench
from bench import Column, Row, Section, share

from asynclab.taught import taught
from asynclab.work import processors

chapter = taught(7)
OURS = "predict"
NEAR, AS_GOOD = 0.25, 1.1
JOBS, MILLISECONDS, PERCENT = (1, 3, 10, 20, 50), (1, 5, 20, 50), (0, 25, 100)
LONGEST = {"long": 2500, "usual": 500, "quick": 150, "tiny": 5}  # all jobs of a setting one after another, in ms

Times = dict[str, float]  # seconds, by way


def settings(longest: float) -> Iterable[tuple[int, int, int, int]]:
    """Yield the settings whose jobs take no more than `longest` milliseconds one after another."""
    cores = range(1, min(2, processors()) + 1)
    for setting in itertools.product(JOBS, MILLISECONDS, PERCENT, cores):
        if setting[0] * setting[1] <= longest:
            yield setting


def error(predicted: float, measured: float) -> float:
    """Return by which share of what was measured the prediction misses it."""
    return abs(predicted - measured) / measured


def hit(predicted: Times, measured: Times) -> bool:
    """Return whether no way is clearly faster than the one predicted to be the fastest."""
    winner = min(predicted, key=predicted.get)
    return measured[winner] <= AS_GOOD * min(measured.values())


def row(errors: list[float]) -> Row:
    """Return what is said of the errors of one way, or of all."""
    return {
        "within 25 %": sum(each <= NEAR for each in errors) / len(errors),
        "median error": bench.median(errors),
        "largest": max(errors),
    }


def measure(effort: str = "usual") -> Section:
    """Run every setting as the explorer does, and compare with what it predicted."""
    before, pairs = bench.load(), []
    for setting in settings(LONGEST[effort]):
        compared = bench.run(chapter.decide(*setting))
        pairs.append((compared.guess, {name: compared[name].fastest for name in compared.names}))
    errors = {name: [error(guess[name], times[name]) for guess, times in pairs] for name in pairs[0][1]}
    rows = {OURS: row(list(itertools.chain(*errors.values())))} | {name: row(each) for name, each in errors.items()}
    near = [all(error(guess[name], times[name]) <= NEAR for name in times) for guess, times in pairs]
    rows[OURS] |= {"settings": sum(near) / len(pairs), "winner": sum(itertools.starmap(hit, pairs)) / len(pairs)}
    columns = [
        Column("within 25 %", share, max, ("≥", 0.9)),
        Column("settings", share, max, ("≥", 0.9)),
        Column("winner", share, max, ("≥", 0.9)),
        Column("median error", share),
        Column("largest", share),
    ]
    title = f"Prediction: {len(pairs)} settings, four ways in each; shares, errors as shares of what was measured"
    notes = [f"Before: {before}; after: {bench.load()}. The goals are for a quiet machine."]
    return Section(title, columns, [OURS], rows, beside=list(errors), notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
