"""The programs of data/messages say on this Python what they are there for, and `cause` finds them by what they say."""

import asyncio
import json
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import psutil
import pytest

from asynclab import messages as module
from asynclab.messages import FOLDER, cause, known, messages
from asynclab.services import postgresql
from asynclab.tracing import replay

NOTEBOOKS = FOLDER.parents[1] / "notebooks"
EVERY = known()


@pytest.fixture(scope="module")
def provoked():
    """What the table says of each program, all that each printed, and what was left behind."""
    outputs, run = {}, module.run
    before = set(psutil.Process().children(recursive=True)), sorted(FOLDER.rglob("*.py*"))

    async def recorded(message, places):
        outputs[message] = await run(message, places)
        return outputs[message]

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(module, "run", recorded):
        os.chmod(folder, 0o755)  # a server of root's runs as another user
        with mock.patch.dict(os.environ, dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder), PYTHONWARNINGS="error"):
            table = asyncio.run(messages())
        left = os.listdir(folder)
    after = set(psutil.Process().children(recursive=True)), sorted(FOLDER.rglob("*.py*"))
    return table, outputs, (before, after, left)


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.path.stem)
def test_a_program_provokes_its_message_and_the_message_leads_back_to_it(provoked, message):
    table, outputs, _ = provoked
    [(line, why)] = [(line, why) for each, line, why in table.rows if each == message]
    if "PostgreSQL" in why and not postgresql.PostgreSQL.available():
        pytest.skip(why)
    assert why == ""
    assert any(pattern.search(line) for pattern in message.patterns)
    assert cause(outputs[message]).found[0] == message


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.path.stem)
def test_a_program_is_short_and_its_cure_is_a_cell_of_the_chapters(message):
    code = [line for line in message.program.splitlines() if line.strip()]
    assert len(code) <= 15
    assert "raise" not in message.program
    notebook, _, cell = message.cell.partition("#cell-id=")
    assert re.match("0[0-7]_", notebook)
    cells = json.loads((NOTEBOOKS / notebook).read_text("utf-8"))["cells"]
    assert cell in [each["id"] for each in cells]


def test_nothing_is_left(provoked):
    _, _, (before, after, left) = provoked
    assert after == before
    assert left == []


def test_the_table_is_the_same_on_every_python_but_for_what_each_says(provoked):
    table, _, _ = provoked
    html = table._repr_mimebundle_()["text/html"]
    assert (module._BEGIN, module._END) == (replay._BEGIN, replay._END)  # which nbval_sanitize.cfg knows
    said = re.compile(f"{re.escape(module._BEGIN)}(.*?){re.escape(module._END)}")
    assert len(said.findall(html)) == len(EVERY) >= 20
    assert not re.search(r"site-packages|[/\\]asyncio[/\\]|0x[0-9a-f]", html)
    for message in EVERY:
        assert f'<a href="{message.cell}">' in html
        assert message.words[0] in str(table)
    elsewhere = module.Messages([(message, "in other words", "") for message in EVERY])
    assert said.sub("", html) == said.sub("", elsewhere._repr_mimebundle_()["text/html"])
    assert str(table) == str(elsewhere)


def only(monkeypatch, program: Path) -> module.Messages:
    """Return the table of one program."""
    monkeypatch.setattr(module, "known", lambda: [module._read(program)])
    return asyncio.run(messages())


def test_without_a_server_the_row_says_so(monkeypatch):
    monkeypatch.setattr(postgresql, "find_server", lambda: None)
    table = only(monkeypatch, FOLDER / "two_queries.py")
    [(_, line, why)] = table.rows
    assert (line, why[:35]) == ("", "This machine has no PostgreSQL serv")
    assert why in str(table)
    assert why in table._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import time\n\ntime.sleep(1000)", "did not end within 0.5 seconds"),
        ('print("all is well")', "says something else: other.py"),
    ],
)
def test_a_program_that_hangs_or_says_something_else_is_a_row_too(monkeypatch, tmp_path, program, why):
    path = tmp_path / "other.py"
    path.write_text(
        f'"""unheard of\n\nMeans: nothing\nCure: [words](00_start_here.ipynb#cell-id=title)\n"""\n\n{program}\n'
    )
    monkeypatch.setattr(module, "_PATIENCE", 0.5 if "sleep" in program else 60.0)
    before = psutil.Process().children()  # of earlier tests
    [(_, line, said)] = only(monkeypatch, path).rows
    assert line == ""
    assert why in said
    assert set(psutil.Process().children()) <= set(before)


def names(answer):
    return [message.path.stem for message in answer.found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RuntimeError: Event loop is closed", ["closed_loop"]),
        ("runtimeerror: event\n    loop is  closed", ["closed_loop"]),  # as a terminal breaks it
        ("TypeError: object Response can’t be used in ‘await’ expression", ["plain_call_awaited"]),
        ("TypeError: 'Response' object can't be awaited", ["plain_call_awaited"]),
        ("AttributeError: 'coroutine' object has no attribute 'json'", ["coroutine_for_result"]),
        ("ValueError: a coroutine was expected, got <function main at 0x7f>", ["no_call"]),
        ("TypeError: An asyncio.Future, a coroutine or an awaitable is required", ["no_call"]),
        ("<Queue at 0x7f maxsize=0> is bound to a different event loop", ["another_loops_task"]),
        (
            "Server disconnected\n…\nUnclosed client session\nServer disconnected",
            ["server_hangs_up", "session_left_open"],
        ),
    ],
)
def test_a_message_is_found_in_a_text(text, found):
    answer = cause(text)
    assert names(answer) == found
    shown = answer._repr_mimebundle_()
    for message in answer.found:
        assert message.program in shown["text/plain"]
        assert f'href="{message.cell}"' in shown["text/html"]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "There is no text"),
        (" \n\t", "There is no text"),
        (None, "of type NoneType"),
        (RuntimeError("Event loop is closed"), "of type RuntimeError"),
        ("RuntimeError: this event loop is alreadyy rnning", "nearest is “This event loop is already running”"),
        ("coroutine main() was not awaited", "nearest is “coroutine '…' was never awaited”"),
        ("different loop", "nearest is “attached to a different loop”"),
    ],
)
def test_what_is_no_message_gets_a_sentence_that_says_what_to_do(text, advice):
    answer = cause(text)
    assert answer.found == []
    assert advice in str(answer)
    assert "Copy the traceback" in str(answer)
    assert "<p>" in answer._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    "text", ["ZeroDivisionError: division by zero", "…", "{}[]()\\", "x" * 300_000, "a\n" * 90_000]
)
def test_what_resembles_no_message_is_not_guessed_at(text):
    assert str(cause(text)).startswith(f"This text has none of our {len(EVERY)} messages. Copy")


def test_a_docstring_that_lacks_a_part_is_refused(tmp_path):
    path = tmp_path / "unfinished.py"
    path.write_text('"""a message\n\nMeans: something\n"""\n')
    with pytest.raises(ValueError, match="unfinished.py: its docstring"):
        module._read(path)
