"""Judge a rate limit by the moments at which it let something through.

Windows are half-open: two moments share a window of `per` seconds if the later comes less than `per` after the
earlier. That is asked of the two as they are, `later - earlier < per`, as a limiter would ask it. Hand the moments
over as the clock gave them: counting them from a start first may round two of them into one window, or out of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable


def most_in_window(times: Iterable[float], per: float) -> int:
    """Return the largest number of `times` (seconds, in any order) that lie in one window of `per` seconds.

    Raises ValueError if `per` is not a finite time above 0, or one of `times` is not finite.
    """
    window: deque[float] = deque()
    most = 0
    for now in _in_order(times, per):
        window.append(now)
        while now - window[0] >= per:
            window.popleft()
        most = max(most, len(window))
    return most


def in_window(times: Iterable[float], per: float) -> list[tuple[float, int]]:
    """Return how many of `times` lie in the last `per` seconds, as steps: (moment, the number from then on).

    The moments are in seconds from the first of `times`, each later than the one before. The number rises at each
    of `times` and falls `per` after it. Its largest value is that of `most_in_window`, which raises the same errors.
    """
    moments = _in_order(times, per)
    steps: list[tuple[float, int]] = []
    window: deque[float] = deque()
    risen = False  # whether the last step counts a moment that came

    def step(moment: float, rises: bool) -> None:
        nonlocal risen
        last = steps[-1][0] if steps else -math.inf
        if risen and not rises:  # the number stood for some time, however little rounding left of that
            moment = max(moment, math.nextafter(last, math.inf))
        if moment <= last:
            moment = steps.pop()[0]  # both at once
        steps.append((moment, len(window)))
        risen = rises

    for now in moments:
        while window and now - window[0] >= per:
            step(window.popleft() - moments[0] + per, rises=False)
        window.append(now)
        step(now - moments[0], rises=True)
    while window:
        step(window.popleft() - moments[0] + per, rises=False)
    return steps


def _in_order(times: Iterable[float], per: float) -> list[float]:
    if not 0 < per < math.inf:
        raise ValueError(f"per must be a time above 0, in seconds, not {per!r}")
    moments = sorted(times)
    if not all(map(math.isfinite, moments)):
        raise ValueError("times must be finite numbers of seconds")
    return moments
