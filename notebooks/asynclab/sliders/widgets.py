"""A control for each parameter of an experiment: a slider, a list or a checkbox, checked before anything is run."""

from __future__ import annotations

import inspect
import math
from decimal import Decimal
from typing import Any

import ipywidgets as widgets

from ..page.style import text_width


class Control:
    """A parameter's widget, its label, and what it offers, in words."""

    def __init__(self, widget: widgets.ValueWidget, label: str, offer: str, digits: int | None = None) -> None:
        self.widget, self.label, self.offer, self._digits = widget, label, offer, digits

    def value(self) -> Any:
        """Return the value as the function takes it: without the noise of a slider's 0.15000000000000002."""
        value = self.widget.value
        return value if self._digits is None else round(value, self._digits)

    def check(self, value: Any) -> None:
        """Raise ValueError if the control cannot be set to `value`."""
        widget = self.widget
        if isinstance(widget, widgets.Dropdown):
            fits = any(value is each or value == each for _, each in widget.options)
        elif isinstance(widget, widgets.Checkbox):
            fits = isinstance(value, bool)
        else:
            fits = _is_number(value) and widget.min <= value <= widget.max and _on_a_step(value, widget)
        if not fits:
            raise ValueError(f"{self.label!r} cannot be {value!r}: it is {self.offer}")


def checked_controls(function: Any, controls: dict[str, Any], labels: dict[str, str]) -> dict[str, Control]:
    """Return the controls of `function`, in the order given."""
    if inspect.iscoroutine(function):
        function.close()  # else Python warns, later and elsewhere, that it was never awaited
        name = function.__name__
        raise TypeError(f"explore({name}(…)) is one call, which can run only once: give the function, explore({name})")
    if not inspect.iscoroutinefunction(function):
        advice = "write `async def`, and `await asyncio.to_thread(…)` for what blocks" if callable(function) else ""
        advice = "loop over it in a coroutine function" if inspect.isasyncgenfunction(function) else advice
        raise TypeError(
            f"explore() needs a coroutine function, not {name_of(function)!r}, a {type(function).__name__}"
            + (f": {advice}" if advice else "")
        )
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = {n: p for n, p in inspect.signature(function).parameters.items() if p.kind in kinds}
    for name in (*controls, *labels):
        if name not in parameters:
            there_are = f"there are {', '.join(parameters)}" if parameters else "it has none"
            raise ValueError(f"{name_of(function)} has no parameter {name!r} to control: {there_are}")
    for name, parameter in inspect.signature(function).parameters.items():
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and name not in controls and not variable:
            raise ValueError(f"parameter {name!r} has neither a default nor a control: give {name}=(low, high)")
    for name in labels:
        if name not in controls:
            raise ValueError(f"label for {name!r}, which has no control: give {name}=(low, high)")
    made = {}
    for name, offered in controls.items():
        default = parameters[name].default
        label = labels.get(name) or name.replace("_", " ")
        made[name] = _control(name, label, offered, () if default is inspect.Parameter.empty else (default,))
    # As wide as the longest label in a wide typeface, at 13 pixels: in the reader's own nothing is cut off.
    width = max((text_width(control.label, 9.75) * 96 for control in made.values()), default=0)
    for control in made.values():
        control.widget.style.description_width = f"{math.ceil(width) + 8}px"
    return made


def _control(name: str, label: str, offered: Any, default: tuple[Any, ...]) -> Control:
    """Return the control for what was `offered`; `default` is empty if the parameter has none."""
    common = {"description": label, "tooltip": label, "layout": widgets.Layout(width="auto", margin="2px 24px 2px 0")}
    if isinstance(offered, bool):
        return Control(widgets.Checkbox(offered, **common), label, f"yes or no, at first {'yes' if offered else 'no'}")
    if isinstance(offered, (list, dict)):
        return _dropdown(name, label, offered, default, common)
    if isinstance(offered, tuple):
        return _slider(name, label, offered, default, common)
    raise TypeError(
        f"control {name!r}: (low, high) makes a slider, [value, …] a drop-down list, True or False a checkbox; "
        f"not {offered!r}"
    )


def _dropdown(name: str, label: str, offered: Any, default: tuple[Any, ...], common: dict[str, Any]) -> Control:
    options = list(offered.items()) if isinstance(offered, dict) else [(str(value), value) for value in offered]
    if not options:
        raise ValueError(f"control {name!r}: an empty {type(offered).__name__} offers nothing to choose from")
    value = default[0] if default else options[0][1]
    now = next((shown for shown, each in options if each is value or each == value), None)
    if now is None:
        raise ValueError(f"control {name!r}: the default {value!r} is not among {', '.join(s for s, _ in options)}")
    choices = " · ".join(str(shown) for shown, _ in options)
    widget = widgets.Dropdown(options=options, value=value, **common)
    return Control(widget, label, f"one of {choices}, at first {now}")


def _slider(name: str, label: str, offered: tuple, default: tuple[Any, ...], common: dict[str, Any]) -> Control:
    if len(offered) not in (2, 3) or not all(map(_is_number, offered)):
        raise ValueError(f"control {name!r}: a slider is (low, high) or (low, high, step), numbers, not {offered!r}")
    low, high, *steps = offered
    whole = all(isinstance(number, int) for number in offered)
    if low >= high:
        raise ValueError(f"control {name!r}: the low end, {low}, must be below the high end, {high}")
    step = steps[0] if steps else 1 if whole else (high - low) / 20
    if not 0 < step <= high - low:
        raise ValueError(f"control {name!r}: the step, {step}, must be above 0 and fit between {low} and {high}")
    value = default[0] if default else low
    if not _is_number(value) or not low <= value <= high:
        raise ValueError(f"control {name!r}: the default {value!r} is not between {low} and {high}")
    digits = max(0, -Decimal(str(round(step, 6))).normalize().as_tuple().exponent)
    kind, form = (widgets.IntSlider, "d") if whole else (widgets.FloatSlider, f".{digits}f")
    if whole and not isinstance(value, int):
        raise ValueError(f"control {name!r}: the default {value!r} is no whole number: give ({float(low)}, {high})")
    widget = kind(value, min=low, max=high, step=step, readout_format=form, continuous_update=False, **common)
    if not _on_a_step(value, widget):
        raise ValueError(f"control {name!r}: the default {value} is not on a step of {step} from {low}")
    offer = f"{low} to {high}" + (f" in steps of {step:g}" if step != 1 else "") + f", at first {value}"
    return Control(widget, label, offer, None if whole else digits)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _on_a_step(value: float, slider: Any) -> bool:
    steps = (value - slider.min) / slider.step
    return abs(steps - round(steps)) < 1e-6 or value == slider.max


def name_of(function: Any) -> str:
    """Return the name of a function, also of one in a `functools.partial`; that of its class if it has none."""
    return getattr(getattr(function, "func", function), "__name__", None) or type(function).__name__
