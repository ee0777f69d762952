"""What a learner types runs in their own kernel and in the process that tries it; elsewhere it is text."""

import asyncio
import contextlib
import os
import pickle
import re
import struct
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

import asynclab
from asynclab import exercise, trace
from asynclab.checking import process, verdicts
from asynclab.checking.card import Note, Outcome
from asynclab.checking.progress import Report
from asynclab.checking.trial import Verdict
from asynclab.load import Load
from asynclab.plots.arcs import arcs
from asynclab.plots.history import history
from asynclab.plots.steps import steps
from asynclab.sliders.explorer import _error_shown

ASYNCLAB = Path(asynclab.__file__).parent

# What comes out of the process that tries a learner's function is data.


class Call:
    """An object that is, once packed, a call: whoever unpacks it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Name(str):
    """A text with the same trick: as a task's name it is kept as it is."""

    def __str__(self):
        return self

    def __reduce__(self):
        return os.mkdir, (str.__str__(self),)


def checked(function):
    try:
        return asyncio.run(exercise("1.1")._judge(function, None))
    finally:
        process._end_all()


def test_a_name_that_is_a_call_is_not_called(tmp_path):
    path = str(tmp_path / "called")

    async def answer(*args):
        await asyncio.create_task(asyncio.sleep(0), name=Name(path))

    outcome = checked(answer)
    assert (outcome.status, outcome.trace) == ("not yet", None), "it goes without its trace"
    assert not os.path.exists(path)
    pickle.loads(pickle.dumps(Name(path)))
    assert os.path.exists(path), "else this shows nothing"


def test_an_answer_that_was_forged_is_not_read(tmp_path):
    path = tmp_path / "called"
    forged = pickle.dumps(Verdict(trace=Call(path)))

    async def answer(*args):
        for number in range(3, 64):  # the pipes of the process that checks are among them
            with contextlib.suppress(OSError):
                os.write(number, struct.pack("<I", len(forged)) + forged)

    assert "meddles with the answer of its check" in checked(answer).message
    assert not path.exists()


def named(module, name):
    """The pickle of whatever that module calls so."""
    return b"".join([b"\x80\x04", *(b"\x8c%c%s" % (len(each), each.encode()) for each in (module, name)), b"\x93."])


@pytest.mark.parametrize(
    "written",
    [
        named("os", "system"), named("builtins", "exec"), named("builtins", "getattr"), named("asynclab", "Services"),
        named("asynclab.checking.child", "load"), named("asynclab.checking.trial", "builtins"),
        named("asynclab.tracing.recorder", "weakref"), named("asynclab.tracing.recorder", "weakref.finalize"),
        named("asynclab.tracing.replay", "Path"), named("asynclab.tracing.replay", "replay"),
        named("asynclab.checking.process", "Process"), named("asynclab.services.process", "Services"),
    ],
)  # fmt: skip
def test_nothing_but_the_classes_of_a_verdict_is_found(written):
    with pytest.raises(pickle.UnpicklingError, match="is no part of a verdict"):
        verdicts.read(written)


@pytest.mark.parametrize("written", [pickle.dumps("a text"), pickle.dumps(object()), b"", b"\x80"])
def test_nothing_but_a_verdict_is_read(written):
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        verdicts.read(written)


def test_a_verdict_with_its_trace_comes_through():
    async def main():
        with trace("It goes and comes") as shown:
            await asyncio.gather(*(asyncio.create_task(asyncio.sleep(0.01), name=f"t{n}") for n in range(3)))
            await asyncio.to_thread(int)
        return shown

    shown = asyncio.run(main())
    came = verdicts.read(verdicts.write(Verdict("no", worlds=3, trace=shown)))
    assert came.trace.table() == shown.table() and came.worlds == 3


# Where code is made of text, and what it is made of.

EVALUATED = {
    "checking/child.py": "our checks, and a learner's function: the process that tries it",
    "checking/exercise.py": "our stub and our solution",
    "checking/process.py": "nothing: it packs a request",
    "checking/verdicts.py": "data alone",
    "load.py": "nothing: it packs a service",
    "script.py": "nothing: it parses cells",
    "services/host.py": "a learner's service: the process that hosts it",
    "taught.py": "our notebooks' cells",
    "work.py": "nothing: it packs a job",
}
DANGER = re.compile(
    r"(?<![.\w])(?:eval|exec|compile|__import__)\(|^\s*(?:import|from) (?:pickle|marshal|shelve|runpy|code|codeop)\b"
    r"|\bshell=|\bos\.(?:system|popen)\b",
    re.MULTILINE,
)


def test_code_is_made_of_text_in_these_places_alone():
    found = {
        path.relative_to(ASYNCLAB).as_posix()
        for path in ASYNCLAB.rglob("*.py")
        if DANGER.search(path.read_text("utf-8"))
    }
    assert found == set(EVALUATED)


# What is shown is escaped.

DAY = date(2000, 1, 1)
BAD = "</pre></td></title></style></script>--><x-bad>`<x-bad>`\" x-bad=\"' x-bad='{$x-bad}$\\x-bad"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [tag, *(name for name, _ in attributes)]


def shown(thing):
    return thing._repr_mimebundle_()["text/html"]


def traced():
    async def main():
        with trace(BAD, guess={BAD: 0.1}) as timeline:

            async def fails():
                raise type(BAD, (Exception,), {})(BAD)

            fails.__qualname__ = fails.__name__ = BAD
            await asyncio.gather(asyncio.create_task(fails(), name=BAD), return_exceptions=True)
            await asyncio.get_running_loop().run_in_executor(None, type(BAD, (), {"__call__": lambda self: None})())
        return shown(timeline) + shown(timeline.replay())

    return asyncio.run(main())


def loaded():
    load = Load(type(BAD, (), {}), 9, 1, 5, 1.0, (0.1,) * 9, {BAD: 4}, 1, 1, 0, 0, [BAD])
    return shown(load) + shown(steps(BAD, {BAD: load, "b": load}))


async def raises(*args):
    print(BAD)
    await asyncio.create_task(asyncio.sleep(0), name=BAD)
    raise ValueError(BAD)


SHOWN = {
    "a card": lambda: "".join(
        shown(Outcome(BAD, status, f"{begins}{BAD}", BAD, None, BAD, BAD))
        for status, begins in {
            "correct": "Correct. ",
            "not yet": "Not yet: ",
            "not attempted": "Not attempted: ",
        }.items()
    ),
    "a note": lambda: shown(Note(BAD, f"{BAD}\n\n{BAD}", BAD)),
    "a check": lambda: shown(checked(raises)),
    "a trace": traced,
    "arcs": lambda: shown(
        arcs(BAD, {BAD: (date(2000, 1, 1), 3, BAD), "b": (date(2001, 1, 1), 3, BAD)}, [(BAD, "b")], unit=BAD, note=BAD)
    ),
    "a history": lambda: shown(history(BAD, {BAD: [(0, 1), (1, 2)]}, unit=BAD, limit=1, limit_name=BAD)),
    "progress": lambda: shown(Report([(BAD, {"1.1": "correct"})], BAD)),
    "under load": loaded,
    "an error in an explorer": lambda: _error_shown(ValueError(BAD))["text/html"],
}


@pytest.mark.parametrize("what", SHOWN)
def test_no_name_becomes_a_tag(what):
    tags = Tags()
    page = SHOWN[what]()
    tags.feed(page)
    assert "x-bad" in page, "else this shows nothing"
    assert not [each for each in tags.found if "bad" in each]
