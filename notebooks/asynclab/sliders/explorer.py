"""`await explore(…)`: controls around a coroutine function; every change runs the real experiment again.

Who runs when. The first run belongs to the cell. A run begun with a control belongs to nobody's cell, so it takes
its turn like one: it holds the lock under which the kernel runs one cell after another. Hence it waits while a
cell runs (all of them, under Run All), and a cell started meanwhile waits for it: neither is in the other's
measurement, `end()` never meets a run of ours, and two traces never meet on one loop. The Stop button cancels it.

JupyterLab sends what happens to a control to another thread of the kernel, where no experiment may run: that
thread only rings the bell of the loop on which `explore` was awaited.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets
from IPython import get_ipython
from IPython.core.formatters import DisplayFormatter
from IPython.display import display, update_display

from ..page.numbers import duration
from ..page.style import BLUE, RULE, VERMILLION
from ..page.table import shorten
from .widgets import Control, checked_controls, name_of

_REST = 0.15  # seconds that the controls must be left alone before a run: a key held down is one change, not fifty
_POLL = 0.05  # seconds between two looks whether the cell that runs has ended
_LONG = 300  # characters of an error's message that are shown

_explorers: dict[tuple[str, str, str], Explorer] = {}  # what each cell shows; running it again replaces that
_numbers = itertools.count(1)


async def explore(
    function: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    **controls: Any,
) -> Explorer:
    """Run `function` with its defaults, and return its result under controls that run it again.

    A control for a parameter is a slider, `(low, high)` or `(low, high, step)`, whole or decimal numbers; a
    drop-down list, `[value, …]` or `{"shown": value, …}`; or a checkbox, `True` or `False`, which is also how it
    starts. The others start at the parameter's default, else at their first value; parameters without a control
    keep their default. `labels` says in words and units what a control sets: `labels={"seconds": "each waits (s)"}`.
    What `function` returns is shown as a cell would show it: a timeline, a comparison, any object.

        async def waits(tasks=5, seconds=0.1): ...
        await explore(waits, tasks=(1, 20), seconds=(0.0, 0.3, 0.05))  # as a cell's last line, it is shown

    An error of this first run is the cell's own error; later ones are shown in place. Raises TypeError or
    ValueError, naming the control, if an argument makes no sense.
    """
    for name, given, kind in (("title", title, str), ("labels", labels or {}, Mapping)):
        if not isinstance(given, kind):
            raise TypeError(f"{name} is for words, not {given!r}: a parameter called {name!r} cannot have a control")
    explorer = Explorer(function, checked_controls(function, controls, dict(labels or {})), title)
    await explorer._replace_predecessor()
    await explorer.run()
    return explorer


class Explorer:
    """An experiment under controls. Shown by being a cell's last expression, as often as you like.

    `value` is what the latest run returned and `error` what it raised (the other one is None); `values` are the
    present arguments; `controls` the widgets by parameter. In code, `await explorer.set(tasks=3)`.
    """

    def __init__(self, function: Callable, controls: dict[str, Control], title: str) -> None:
        self._function, self._settings, self._name = function, controls, name_of(function)
        self.title = title or self._name.replace("_", " ")
        self.value: Any = None
        self.error: BaseException | None = None
        self._loop, self._context = asyncio.get_running_loop(), contextvars.copy_context()
        self._shell = get_ipython()
        self._turn: asyncio.Lock | None = _lock_of_cells(self._shell)
        self._display_id = f"asynclab-explore-{next(_numbers)}-{id(self):x}"
        self._shown = self._closed = self._reloaded = self._quiet = False
        self._task: asyncio.Task | None = None  # the experiment that runs, if one does
        self._by_control = False  # whether a control began it: then the next change cancels it
        self._timer: asyncio.TimerHandle | None = None  # the run to come, if one is wanted
        self.controls = {name: control.widget for name, control in controls.items()}
        self._button = widgets.Button(description="Run again", icon="play", tooltip=f"Run again: {self.title}")
        self._button.layout = widgets.Layout(width="auto", margin="2px 16px 2px 0", padding="0 16px")
        self._status, self._inside = widgets.HTML(), widgets.HTML()
        self._panel = self._laid_out()
        for widget in self.controls.values():
            widget.observe(self._changed, "value")
        self._button.on_click(self._changed)

    @property
    def values(self) -> dict[str, Any]:
        """The arguments that the controls give now."""
        return {name: control.value() for name, control in self._settings.items()}

    async def run(self) -> Any:
        """Run with the present values; return the result, or raise the experiment's error after showing it.

        A run that a control began is cancelled first, and awaited to its end; cancelling this one cancels the
        experiment. Raises RuntimeError if another `run()` is under way, or after `close()`.
        """
        if self._closed:
            raise RuntimeError(f"{self.title}: these controls were closed; run the cell with explore() again")
        self._cancel_wanted()
        if self._task is not None and not self._by_control:
            raise RuntimeError(f"{self.title}: a run is under way; await it before the next")
        while self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            await asyncio.sleep(0)  # `_ended` is a callback of the task: it is due now
        task = self._begin(by_control=False)
        try:
            outcome = await task
        except asyncio.CancelledError:
            self._set_status("Stopped.")
            raise
        finally:
            self._task = None
        self._show(outcome)
        if self.error is not None:
            raise self.error
        return self.value

    async def set(self, **values: Any) -> Any:
        """Move controls, as a learner would, and `run()`. Raises ValueError for a value that a control lacks.

        The result replaces the one that an earlier cell shows. Where outputs are stored and compared, that cell would
        no longer show its own: for an assertion, call the function itself.
        """
        for name, value in values.items():
            if name not in self._settings:
                raise ValueError(f"no control {name!r}: there are {', '.join(self._settings) or 'none'}")
            self._settings[name].check(value)
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._quiet = False
        return await self.run()

    def close(self) -> None:
        """Cancel what runs and take the controls away. The result stays where it is shown."""
        if not self._closed:
            self._closed = True
            self._cancel_wanted()
            if self._task is not None and not self._loop.is_closed():
                self._task.cancel()
            for widget in (*self.controls.values(), self._button, self._status, self._inside, self._panel):
                widget.close()

    def text(self) -> str:
        """Return what the controls offer, in words."""
        lines = [f"Controls of “{self.title}”, alive where a kernel runs:"]
        return "\n".join(lines + [f"  {control.label}: {control.offer}" for control in self._settings.values()])

    # --- a change, its turn, its run ----------------------------------------------------------------------------

    def _changed(self, _: Any) -> None:
        # Possibly in another thread: nothing but this one call is safe.
        if not self._quiet and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run_wanted, context=self._context.copy())

    def _run_wanted(self) -> None:
        """Want a run with the values of then, once the controls are left alone; what runs is out of date."""
        if self._closed:
            return
        self._cancel_wanted()
        if self._task is not None and self._by_control:
            self._task.cancel()
        self._set_status("Running …")
        self._timer = self._loop.call_later(_REST, self._run_if_free, context=self._context.copy())

    def _run_if_free(self) -> None:
        """Begin if it is our turn, else look again soon. A callback, not a task: nobody can take it for a leak."""
        if self._task is None and self._take_turn():
            self._timer = None
            try:
                self._begin(by_control=True).add_done_callback(self._ended)
            except BaseException:  # a turn never given back would stop every cell to come
                self._give_turn_back()
                raise
        else:
            if self._task is None:
                self._set_status("Waiting until the cells that run have ended …")
            self._timer = self._loop.call_later(_POLL, self._run_if_free, context=self._context.copy())

    def _ended(self, task: asyncio.Task) -> None:
        try:
            self._task = None
            if self._closed or task.cancelled():
                if self._timer is None and not self._closed:
                    self._set_status("Stopped.")
            elif self._timer is None:
                self._show(task.result())
        finally:
            self._give_turn_back()

    _changed.unseen_by_traces = _run_wanted.unseen_by_traces = True
    _run_if_free.unseen_by_traces = _ended.unseen_by_traces = True

    def _cancel_wanted(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_turn(self) -> bool:
        """Take the kernel's lock if it is free, without waiting for it: a waiting task would look like a leak."""
        if self._turn is None:
            return True
        attempt = self._turn.acquire()
        try:
            attempt.send(None)
        except StopIteration:
            return True
        attempt.close()
        return False

    def _give_turn_back(self) -> None:
        if self._turn is not None:
            self._turn.release()

    def _begin(self, *, by_control: bool) -> asyncio.Task:
        self._by_control = by_control
        self._set_status("Running …")
        # In the context of the cell: what the experiment prints belongs there.
        self._task = self._loop.create_task(
            self._experiment(by_control), name=f"explore {self._name}", context=self._context.copy()
        )
        return self._task

    async def _experiment(self, by_control: bool) -> tuple[Any, BaseException | None, float]:
        """Return what the experiment returned, or what it raised, and the seconds it took."""
        began, value, error = time.perf_counter(), None, None
        previous = self._stoppable() if by_control else None
        try:
            value = await self._function(**self.values)
        except asyncio.CancelledError as cancelled:
            if asyncio.current_task().cancelling():
                raise
            error = cancelled  # its own doing: it awaited something that was cancelled
        except BaseException as raised:  # from a task, KeyboardInterrupt and SystemExit would end the kernel
            error = raised
        finally:
            if previous is not None:
                signal.signal(signal.SIGINT, previous)
        return value, error, time.perf_counter() - began

    def _stoppable(self) -> Any:
        """Let an interrupt cancel this run: between two cells a kernel ignores it. Return the former handler."""
        if self._turn is None or threading.current_thread() is not threading.main_thread():
            return None
        task, loop = asyncio.current_task(), self._loop
        return signal.signal(signal.SIGINT, lambda number, frame: loop.call_soon_threadsafe(task.cancel))

    # --- what is seen -------------------------------------------------------------------------------------------

    def _show(self, outcome: tuple[Any, BaseException | None, float]) -> None:
        self.value, self.error, seconds = outcome
        if self._shown:
            data, metadata = self._bundle()
            update_display(data, raw=True, metadata=metadata, display_id=self._display_id)
            if self._reloaded:
                text = f"<pre>{escape(data.get('text/plain', ''))}</pre>"
                self._inside.value = _RELOADED + data.get("text/html", text)
        if self.error is None:
            self._set_status(f"Ended after {duration(seconds)}.")
        else:
            self._set_status(f"{type(self.error).__name__} after {duration(seconds)}.", failed=True)

    def _bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the latest result, or error, as a cell's output."""
        if self.error is not None:
            return _error_shown(self.error), {}
        if self.value is None:
            return {"text/plain": ""}, {}
        formatter = self._shell.display_formatter if self._shell is not None else DisplayFormatter()
        return formatter.format(self.value)

    def _set_status(self, text: str, *, failed: bool = False) -> None:
        if not self._closed:
            colour = f' style="color:{VERMILLION};font-weight:bold"' if failed else ""
            self._status.value = f"<span{colour}>{escape(text)}</span>{_VOICE}"

    def _laid_out(self) -> widgets.Box:
        """Return the panel: a title, the controls as many side by side as fit, the button and the status."""
        heading = widgets.HTML(f'<strong style="font-size:110%">{escape(self.title)}</strong>')
        grid = widgets.GridBox(
            list(self.controls.values()),
            layout=widgets.Layout(
                grid_template_columns="repeat(auto-fit, minmax(min(100%, 400px), 1fr))", width="100%"
            ),
        )
        row = widgets.HBox([self._button, self._status], layout=widgets.Layout(align_items="center", flex_flow="wrap"))
        layout = widgets.Layout(
            max_width="960px", border=f"1px solid {RULE}", padding="6px 16px 12px", margin="0 0 8px"
        )
        panel = _Panel([heading, grid, row, self._inside], layout=layout)
        panel.add_class("asynclab-explore")
        panel.when_reloaded = self._page_reloaded
        return panel

    def _page_reloaded(self) -> None:
        self._reloaded = True

    def _ipython_display_(self) -> None:
        self._shown, self._context = True, contextvars.copy_context()
        text = self.text()
        offers = "".join(f"<li>{escape(each.label)}: {escape(each.offer)}</li>" for each in self._settings.values())
        heading = f"<p>Controls of <strong>{escape(self.title)}</strong>, alive where a kernel runs:</p>"
        html = f"{_PREVIEW}\n{heading}<ul>{offers}</ul>"
        view = {} if self._closed else self._panel._repr_mimebundle_()
        display({**view, "text/html": html, "text/plain": text}, raw=True)
        data, metadata = self._bundle()
        display(data, raw=True, metadata=metadata, display_id=self._display_id)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"<explore {self._name}({values})>"

    async def _replace_predecessor(self) -> None:
        """Close what this cell has shown before, if it is run again; return when nothing of it runs any more."""
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else {}
        key = ((parent.get("metadata") or {}).get("cellId", ""), self._name, self.title)
        former, _explorers[key] = _explorers.get(key), self
        if former is not None:
            former.close()
            if former._task is not None and former._loop is self._loop:
                await asyncio.wait([former._task])


class _Panel(widgets.VBox):
    """A box that knows when a page is loaded that did not see the cell run.

    Such a page restores the widgets by asking for their state, but no longer updates the cell's other outputs.
    """

    when_reloaded: Callable[[], None] | None = None

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        if key is None and getattr(self, "comm", None) is not None and self.when_reloaded is not None:
            self.when_reloaded()
        return super().get_state(key, drop_defaults)


_PREVIEW = "<!-- run this cell to get the controls -->"  # JupyterLab shows the first line of a hidden output
_RELOADED = (
    "<p><em>A page was loaded after the cell had run: results appear here, and below may be older ones.</em></p>"
)

# ipywidgets gives a slider no name for a screen reader, a text that changes no voice, and what has the focus hardly a
# mark. All are added on the page, the names from the visible words, whenever the status is drawn; where that is not
# allowed, nothing else changes.
_VOICE = (
    '<style onload="'
    "const s=this.closest('.widget-html-content'),p=this.closest('.asynclab-explore');"
    "if(s){s.setAttribute('role','status');s.setAttribute('aria-live','polite')}"
    "if(p){p.setAttribute('role','group');p.setAttribute('aria-label',p.querySelector('strong').textContent);"
    "setTimeout(()=>p.querySelectorAll('.noUi-handle').forEach(h=>h.setAttribute('aria-label',"
    "h.closest('.jupyter-widgets').querySelector('.widget-label').textContent)),300)}"
    '">.asynclab-explore :focus-visible{outline:3px solid '
    f"{BLUE}!important;outline-offset:2px}}</style>"
)


def _error_shown(error: BaseException) -> dict[str, str]:
    """Return class and message of `error`, and of those in a group, as a cell's output."""
    errors = [error, *error.exceptions] if isinstance(error, BaseExceptionGroup) else [error]
    lines = [shorten(f"{type(each).__name__}: {each}".strip().rstrip(":"), _LONG) for each in errors]
    text = "\n  - ".join(lines)
    style = f"border-left:4px solid {VERMILLION};padding:4px 12px;white-space:pre-wrap"
    return {"text/html": f'<pre role="alert" style="{style}">{escape(text)}</pre>', "text/plain": text}


def _lock_of_cells(shell: Any) -> asyncio.Lock | None:
    """Return the lock that ipykernel holds while it runs a cell; None elsewhere, where runs wait for no cell."""
    lock = getattr(getattr(shell, "kernel", None), "_main_asyncio_lock", None)
    return lock if isinstance(lock, asyncio.Lock) else None
