"""An exercise: what may be given to its check, hints and solutions, and what it shows, in a terminal, in a notebook
and to a screen reader.
"""

from __future__ import annotations

import asyncio
import gc
import html
import inspect
import re
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from asynclab.checking.card import Note, Outcome, highlighted
from asynclab.checking.exercise import Exercise
from asynclab.checking.progress import store
from asynclab.exercises import all_exercises, exercise, progress
from kernels import Kernel

from .conftest import make

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
Check = Callable[..., Outcome]


def function(source: str) -> Callable[..., Any]:
    """Return the function that `source` defines, as a notebook's cell would."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("import asyncio\n" + source, "cell.py", "exec"), namespace)
    return namespace["double"]


async def right(number):
    return 2 * number


# --- what may be given to a check -----------------------------------------------------------------------------------


async def yields(number):
    yield number


def ordinary(number):
    return 2 * number


async def takes_nothing():
    return 6


class Doubler:
    async def __call__(self, number):
        return 2 * number


NO_FUNCTIONS = [
    (
        lambda: right(3),
        "this is what a call gives, not the function. Give the function itself: `await ex.check(double)`, wi",
    ),
    (lambda: yields(3), "this is what a call gives"),
    (lambda: yields, "the `yield` in `double` makes it a generator"),
    (lambda: Doubler, "this is a class"),
    (lambda: "double", "this is a text"),
    (lambda: [6], "this is a `list`"),
    (lambda: 6, "this is an `int`"),
    (lambda: object(), "this is an `object`"),
    (lambda: takes_nothing, "`double` is called with 1 argument. Begin it with `async def double(number):`"),
    (lambda: ordinary, "your function is an ordinary one: calling it runs it at once. Define it with `async def`"),
    (lambda: function("async def double(number):\n    return ..."), "there is still a `...`"),
    (lambda: asyncio.ensure_future(asyncio.sleep(0)), "this is a task"),
]


@pytest.mark.parametrize(("make_it", "message"), NO_FUNCTIONS)
def test_what_is_no_function_is_not_yet_right(make_it: Any, message: str, ex: Exercise) -> None:
    async def main() -> Outcome:
        return await ex.check(make_it())

    outcome = asyncio.run(main())
    assert outcome.status == "not yet" and message in outcome.message


STUBS = [
    None,
    ...,
    function("async def double(number):\n    return ... * number"),
    function("async def double(number):\n    # a comment\n    return (... *\n        number)"),
    function("async def double(number):\n    pass"),
    function('async def double(number):\n    """Words."""'),
]


def test_nothing_and_the_stub_are_not_attempted(ex: Exercise, check: Check, folder: Path) -> None:
    for stub in STUBS:
        assert check(stub).status == "not attempted", stub
    assert check().status == "not attempted"
    assert "Replace the `...`, run the cell, then run this one again." in check(None).message
    assert not folder.exists(), "rendering and testing a notebook leaves the learner's progress alone"


def test_an_object_that_fights_back_is_refused_and_not_raised(check: Check) -> None:
    class Hostile:
        @property
        def __class__(self) -> type:
            raise ValueError("no")

        def __call__(self, number: int) -> None:
            raise ValueError("no")

    class Result:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no")

        __hash__ = None

        def __repr__(self) -> str:
            raise ValueError("no")

    async def double(number: int) -> Result:
        return Result()

    for candidate in (Hostile(), double):
        assert "looking at this raises ValueError" in check(candidate).message


def test_errors_that_are_typical_here_have_words_of_their_own(check: Check) -> None:
    async def double(number):
        return 2 * nombre  # noqa: F821

    assert check(double).message == "Not yet: there is no `nombre` here. Look for a slip."


def test_a_check_that_is_not_awaited_says_what_to_write(ex: Exercise) -> None:
    async def main() -> None:
        forgotten = ex.check(right(3))  # a coroutine that nobody would ever await, too
        assert "await ex.check(double)" in repr(forgotten)
        assert "await ex.check(double)" in forgotten._repr_mimebundle_()["text/html"]
        del forgotten
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())


def test_an_exercise_is_found_by_its_id_and_is_always_the_same() -> None:
    assert exercise("1.2") is exercise("1.2") is all_exercises()[1]
    for wrong in ("1.99", "one", 1.1, None):
        with pytest.raises(KeyError, match=r"there is no exercise .*; there are 1\.1, 1\.2") as caught:
            exercise(wrong)
        assert not str(caught.value).startswith('"')


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("Double it.", "must have a title"),
        ("# Double\n\nIt.", "sections"),
        ("# Double ★\n", "a title like"),
        (None, "two hints"),
    ],
)
def test_a_task_that_lacks_a_part_is_refused(task: str | None, message: str, tmp_path: Path) -> None:
    from .conftest import FILES

    text = FILES["task.md"].replace("2. `2`,", "`2`,") if task is None else task
    if task == "# Double ★\n":
        text = FILES["task.md"].replace(" 2 minutes", "")
    with pytest.raises(ValueError, match=message):
        make(tmp_path, task=text)


# --- hints and solutions --------------------------------------------------------------------------------------------


def test_hints_come_one_by_one(ex: Exercise) -> None:
    texts = [str(ex.hint()) for _ in range(4)]
    assert "Hint 1 of 2" in texts[0] and "What is twice <three>?" in texts[0]
    assert "Hint 2 of 2" in texts[1] and "`2`, really." in texts[1]
    assert "No more hints" in texts[2] and "ex.solution()" in texts[2] and texts[2] == texts[3]
    assert "Hint 1 of 2" in str(ex.hint(1)), "an old one can be read again"
    for wrong in (0, 3, -1, "2", 1.0, True):
        assert "has 2 hints" in str(ex.hint(wrong))
    assert "&lt;three&gt;" in ex.hint(1)._repr_mimebundle_()["text/html"]


def test_the_solution_waits_for_an_attempt(ex: Exercise, check: Check) -> None:
    assert "force=True" in str(ex.solution()) and "return 2" not in str(ex.solution())
    check(None)
    assert "return 2" not in str(ex.solution()), "looking is no attempt"
    assert "return 2 * number" in str(ex.solution(force=True))
    check("nonsense")
    assert "return 2 * number" in str(ex.solution())


def test_the_solution_of_what_was_tried_yesterday_is_shown(ex: Exercise) -> None:
    store().add(ex.id, False)
    assert "return 2 * number" in str(ex.solution())


@pytest.mark.parametrize("ex", all_exercises(), ids=repr)
def test_the_solution_shown_is_the_code_that_is_tested(ex: Exercise) -> None:
    bundle = ex.solution(force=True)._repr_mimebundle_()
    source = inspect.getsource(ex.solution_function).strip()
    assert source in bundle["text/plain"]
    code = re.search(r"<pre[^>]*>(.*?)</pre>", bundle["text/html"], re.DOTALL)[1]
    assert html.unescape(re.sub(r"<[^>]+>", "", code)).strip() == source
    assert "<span style=" in code, "with highlighting"


# --- how it looks ---------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = colour.lstrip("#")
    parts = "".join(2 * part for part in parts) if len(parts) == 3 else parts
    channels = [int(parts[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


_VERDICTS = {"correct": "Correct.", "not yet": "Not yet:", "not attempted": "Not attempted yet:"}


def test_every_text_is_told_from_its_background() -> None:
    source = "@a.b\nclass C(D):\n    '''Text.'''\n    async def f(x=1.5):  # why\n        return f'{x}' in y\n"
    outcomes = [Outcome("9.9", status, f"{verdict} Some `code`.", "Seen.") for status, verdict in _VERDICTS.items()]
    pages = [each._repr_mimebundle_()["text/html"] for each in [*outcomes, Note("`h`", "t", source)]]
    found = {colour for page in pages for colour in re.findall(r"[^-]color:\s*(#[0-9A-Fa-f]{3,6})", page)}
    found |= set(re.findall(r"color:\s*(#[0-9A-Fa-f]{3,6})", highlighted(source)))
    assert len(found) >= 8
    marks = {each for page in pages for each in re.findall(r'<span aria-hidden="true" style="color:(#\w+)', page)}
    for colour in found:
        assert contrast(colour, "#fff") >= (3 if colour in marks else 4.5), colour


class Words(HTMLParser):
    """Collects the text of a page, as a screen reader has it, and checks that elements nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.mark.parametrize(("status", "verdict"), _VERDICTS.items())
def test_an_outcome_says_the_same_in_every_form(status: str, verdict: str) -> None:
    outcome = Outcome("9.9", status, f"{verdict} a < b: `x` is. Go on.", "Seen with <2> jobs.", news="Not kept.")
    bundle = outcome._repr_mimebundle_()
    words = str(Words(bundle["text/html"]))
    for text in (f"{verdict} a < b: x is. Go on.", "Seen with <2> jobs.", "Not kept."):
        assert text in words and text in bundle["text/plain"].replace("`x`", "x")
    assert 'role="status"' in bundle["text/html"]
    marks = {"correct": "✓", "not yet": "✕", "not attempted": "–"}
    assert marks[status] in words and bundle["text/plain"].startswith(marks[status])
    assert bundle["text/html"].startswith("<!-- run this cell"), "the preview of a hidden output gives nothing away"


def test_what_the_function_printed_is_shown(check: Check) -> None:
    async def double(number):
        print("<here>", number)
        return 1

    async def prints_much(number):
        print("x" * 50_000)
        return 2 * number

    bundle = check(double)._repr_mimebundle_()
    assert "<here> 3" in str(Words(bundle["text/html"])) and "<here> 3" in bundle["text/plain"]
    assert len(str(check(prints_much))) < 10_000


# --- progress -------------------------------------------------------------------------------------------------------


def test_checks_record_progress(ex: Exercise, check: Check) -> None:
    check("nonsense")
    assert store().records()[ex.id].attempts == 1 and not store().records()[ex.id].correct
    check(right)
    check("nonsense")
    assert store().records()[ex.id].attempts == 3 and store().records()[ex.id].correct
    check(right, seed=3)
    assert store().records()[ex.id].attempts == 3, "looking at one world again is no attempt"


def test_what_is_shown_depends_on_no_past(folder: Path, ex: Exercise, check: Check) -> None:
    candidates = ["nonsense", None, right]
    first = [check(each)._repr_mimebundle_() for each in candidates]
    for _ in range(3):
        ex.hint()
    assert [check(each)._repr_mimebundle_() for each in candidates] == first
    progress(reset=True)
    assert [check(each)._repr_mimebundle_() for each in candidates] == first


def test_a_folder_that_cannot_be_written_is_said_once_and_stops_no_check(folder: Path, check: Check) -> None:
    folder.write_text("in the way")
    outcome = check(right)
    assert outcome.status == "correct" and "Your progress is not kept" in str(outcome)
    assert "Your progress is not kept" in outcome._repr_mimebundle_()["text/html"]
    outcome = check(right)
    assert outcome.status == "correct" and "not kept" not in str(outcome)


# --- in a real kernel -----------------------------------------------------------------------------------------------


def test_in_a_notebook(folder: Path) -> None:
    """Stub, wrong, right, hint, solution, progress, each as a cell; ■; and nothing is left for `end()` to find."""
    ex = exercise("1.3")
    with Kernel(NOTEBOOKS) as kernel:
        first = kernel.run(
            "from asynclab import begin, end\nfrom asynclab.exercises import exercise, progress\nbegin()"
        )
        assert first.status == "ok", first
        kernel.run("import asyncio\n" + ex.stub)
        line = "ex = exercise('1.3')\nawait ex.check(read_all)"
        (bundle,) = kernel.run(line).results
        assert bundle["text/plain"].startswith("– Not attempted yet: ")
        assert not folder.exists()
        (bundle,) = kernel.run("ex.check(read_all)").results
        assert "await ex.check(read_all)" in bundle["text/html"]
        assert "Hint 1 of 3" in kernel.run("ex.hint()").results[0]["text/plain"]
        assert "force=True" in kernel.run("ex.solution()").results[0]["text/plain"]
        kernel.run("async def read_all(read, pages):\n    return [await read(page) for page in pages]")
        reply = kernel.run(line)
        (bundle,) = reply.results
        assert bundle["text/plain"].startswith("✕ Not yet: ") and "<img" in bundle["text/html"]
        assert "seed=" in bundle["text/plain"] and reply.stderr == "" == reply.text
        kernel.run("session = asyncio.get_running_loop()\nasync def read_all(read, pages):\n    session.time()")
        assert "uses `session`, " in kernel.run(line).results[0]["text/plain"]

        kernel.run("async def read_all(read, pages):\n    while True:\n        sum(range(10**13))")
        cell = kernel.start("print('checking')\n" + line)
        kernel.wait_until_printed(cell, "checking")
        kernel.interrupt()
        assert kernel.wait(cell).status == "error", "the Stop button ends a check"

        kernel.run(inspect.getsource(ex.solution_function))
        (bundle,) = kernel.run(line).results
        assert bundle["text/plain"].startswith("✓ Correct. ")
        assert "return" in kernel.run("ex.solution()").results[0]["text/html"]
        assert "1 of " in kernel.run("progress()").results[0]["text/plain"]
        reply = kernel.run("await end()")
        assert reply.status == "ok" and reply.text.startswith("All clear"), reply
        assert kernel.log == ""
