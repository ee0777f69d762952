"""The laboratory bench that the chapters share: it measures, draws and checks; it is never the subject taught.

A name is imported when it is first asked for: who only records a trace does not pay for what draws it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exercises import all_exercises, exercise, progress
    from .plots.comparison import compare
    from .plots.sweep import sweep
    from .services import Services
    from .session import begin, end
    from .sliders.explorer import explore
    from .tracing.timeline import trace

__all__ = [
    "Services", "all_exercises", "begin", "compare", "end", "exercise", "explore", "progress", "sweep", "trace",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("all_exercises", "exercise", "progress"), "exercises"),
    **dict.fromkeys(("begin", "end"), "session"),
    "Services": "services",
    "compare": "plots.comparison",
    "explore": "sliders.explorer",
    "sweep": "plots.sweep",
    "trace": "tracing.timeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
