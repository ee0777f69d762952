"""What one run of a learner's function did."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Run:
    """What one run of the learner's function did."""

    value: Any = None
    error: BaseException | None = None
    cancelled: bool = False  # from outside, before it had ended
    cancelled_at: float = math.inf  # the moment of that, in virtual time
    duration: float = 0.0  # seconds of virtual time
    tasks: int = 0  # that it started
    left: list[str] = field(default_factory=list)  # names of the tasks that it left running
    lost: list[str] = field(default_factory=list)  # errors of tasks that nobody retrieved
    never_awaited: list[str] = field(default_factory=list)  # names of coroutine functions called in vain
    blocking: list[str] = field(default_factory=list)  # calls that held the loop, each with its line
