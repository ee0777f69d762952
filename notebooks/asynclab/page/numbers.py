"""The one way a number is printed.

A rule (tests/notebooks/nbval_sanitize.cfg) tells these forms, and that of `plots.history.at_most`, from the words
around them.
"""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """Return `seconds` with three significant digits and a unit from ns to s, such as "301 ms" or "1.50 s"."""
    if seconds == 0 or not math.isfinite(seconds):
        return f"{seconds:.0f} s"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if abs(seconds) * scale >= 0.9995:
            return f"{_three_digits(seconds * scale)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns"


def ratio(value: float) -> str:
    """Return `value` as a multiple, such as "4.99x"."""
    return f"{_three_digits(value)}x"


def percent(share: float) -> str:
    """Return `share` (0 to 1) in whole per cent, such as "34 %"."""
    return f"{share * 100:.0f} %"


def size(count: float) -> str:
    """Return `count` bytes with a binary unit from B to GiB, such as "16.0 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{_three_digits(count)} {unit}"
        count /= 1024
    return f"{_three_digits(count)} GiB"


def _three_digits(value: float) -> str:
    if not math.isfinite(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:.{decimals}f}"
