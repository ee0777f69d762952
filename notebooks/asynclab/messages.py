"""From an error message to its cause: programs that provoke it for real, what it means, and the cell that cures it.

A program in `data/messages` is a message: nothing is registered. The first line of its docstring is the message, as
people search for it (`…` stands for what differs from case to case). Lines that begin with `Also:` word it as another
Python or another place does; `Means:` and `Cure:` say the rest.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from pathlib import Path
from typing import IO

from .services.postgresql import PostgreSQL
from .services.process import ServicesError

__all__ = ["FOLDER", "Message", "cause", "messages"]

FOLDER = Path(__file__).resolve().parents[2] / "data" / "messages"
_AT_ONCE = 4  # processes
_PATIENCE = 60.0  # seconds for one program, which takes less than one unless the machine is very busy
_DATABASE = "DATABASE_URL"  # a program that reads it from its environment needs a PostgreSQL server
_NEAR = 0.6  # from this share of equal letters on, a line is taken for a misspelt message
# Between these two, the notebooks' tests compare nothing: the words differ from one Python to another.
_BEGIN, _END = "<!-- moments, as measured -->", "<!-- end of the moments -->"


@dataclass(frozen=True)
class Message:
    """A message, and the program that provokes it. `cell` is the cure, as a link from a notebook."""

    words: tuple[str, ...]  # as people search for it, then in other words
    means: str
    cure: str
    cell: str
    path: Path
    program: str  # without its docstring

    @property
    def patterns(self) -> list[re.Pattern[str]]:
        """One for each of `words`: it finds them in a text without line breaks."""
        parts = ([re.escape(part) for part in words.strip(" …").split("…")] for words in self.words)
        return [re.compile(".{0,1000}?".join(each), re.IGNORECASE) for each in parts]

    def position(self, text: str) -> int:
        """Return where the message first ends in `text`, or -1 if it is not there, whatever the line breaks."""
        plain = " ".join(text.translate(_QUOTES).split())
        return min((found.end() for pattern in self.patterns if (found := pattern.search(plain))), default=-1)

    def line_of(self, output: str) -> str:
        """Return the last line of `output` that has the message, without folders and addresses, or "" if none has."""
        lines = [line for line in output.splitlines() if self.position(line) >= 0]
        line = lines[-1].strip(" |") if lines else ""
        return re.sub(r"0x[0-9a-fA-F]+", "0x…", re.sub(r"[^\s'\"(<]*[/\\](?=[\w.]+\.py\b)", "", line))

    def __str__(self) -> str:
        place = self.cell.replace("#cell-id=", ", cell ")
        return f"{self.words[0]}\n    {self.means.replace('`', '')}\n    Cure: {self.cure} ({place})"


_QUOTES = str.maketrans("‘’“”", "''\"\"")  # as a browser or a chat may have changed them


def known() -> list[Message]:
    """Return every message that has a program, in the order in which the chapters cure them."""
    return sorted(map(_read, FOLDER.glob("*.py")), key=lambda message: (message.cell, message.words))


def _read(path: Path) -> Message:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    if not (parts := _PARTS.fullmatch(ast.get_docstring(tree) or "")):
        raise ValueError(f"{path.name}: its docstring is not a message, Means: … and Cure: [words](notebook#cell-id=…)")
    words, means, cure, cell = parts.groups()
    program = "\n".join(source.splitlines()[tree.body[0].end_lineno :]).strip()
    return Message(tuple(words.split("\nAlso: ")), " ".join(means.split()), cure, cell, path, program)


_PARTS = re.compile(r"(\S.*(?:\nAlso: .+)*)\n\nMeans: ([\s\S]+)\nCure: \[(.+)]\((\S+)\)")


async def messages() -> Messages:
    """Run the program of each message, a few at a time, and return what this Python says, as a table.

    Takes some seconds. PostgreSQL is started for the program that needs it, if this machine has it.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        rows = [(message, group.create_task(_provoked(message, places))) for message in known()]
    return Messages([(message, *task.result()) for message, task in rows])


async def _provoked(message: Message, places: asyncio.Semaphore) -> tuple[str, str]:
    """Return the line in which this Python says the message, and why there is none: one of the two is ""."""
    try:
        output = await run(message, places)
    except ServicesError as error:
        return "", f"{str(error)[0].upper()}{str(error)[1:]}"
    except TimeoutError:
        return "", f"Its program did not end within {_PATIENCE:g} seconds: try again when the machine is less busy."
    if line := message.line_of(output):
        return line, ""
    return "", f"This Python says something else: {message.path.name} shows what."


async def run(message: Message, places: asyncio.Semaphore) -> str:
    """Run the program of a message in a place of its own, and return all that it printed.

    Raises ServicesError if it needs a server that this machine does not have, TimeoutError if it does not end.
    """
    if _DATABASE not in message.program:
        async with places:
            return await _output(message.path, {})
    async with PostgreSQL() as address, places:
        return await _output(message.path, {_DATABASE: address})


async def _output(program: Path, settings: dict[str, str]) -> str:
    with tempfile.TemporaryFile() as said:
        process, end = _started(program, settings, said), time.monotonic() + _PATIENCE
        try:
            while process.poll() is None:
                if time.monotonic() > end:
                    raise TimeoutError
                await asyncio.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        return said.read().decode("utf-8", "replace")


def _started(program: Path, settings: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-E", program],  # -E: no debug mode and no filter of warnings from the environment
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1", **settings},
        start_new_session=True,  # an interrupt is for us, who then end it
    )


@dataclass(frozen=True)
class Messages:
    """Every message with the line in which this Python says it, and why there is none: one of the two is ""."""

    rows: list[tuple[Message, str, str]]

    def __str__(self) -> str:
        missing = [f"Not provoked here: {message.words[0]}\n    {why}" for message, _, why in self.rows if why]
        return "\n\n".join([*(str(message) for message, *_ in self.rows), *missing])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from .checking.card import inline

        cell = '<td style="text-align:left;vertical-align:top">'
        lines = ["<!-- run this cell to provoke them -->", "<table><thead><tr>"]
        lines += [f'<th scope="col" style="text-align:left">{head}</th>' for head in ("Message", "It means", "Cure")]
        lines.append("</tr></thead><tbody>")
        for message, line, why in self.rows:
            said = f"<br><small>{_BEGIN}{escape(line or why)}{_END}</small>"
            lines.append(f"<tr>{cell}<strong>{escape(message.words[0])}</strong>{said}</td>")
            lines.append(f"{cell}{inline(message.means)}</td>{cell}{_link(message)}</td></tr>")
        return {"text/html": "\n".join([*lines, "</tbody></table>"]), "text/plain": str(self)}


def cause(text: str = "") -> Cause:
    """Find the messages in a text, such as a whole traceback, and show what each means, its cure, and a program.

    Whatever you hand over, the answer is words: what was found, or what to do.
    """
    if not isinstance(text, str):
        return Cause([], f"This is no text, but of type {type(text).__name__}. {_PASTE}")
    if not text.strip():
        return Cause([], f"There is no text. {_PASTE}")
    every = known()
    found = [(position, message) for message in every if (position := message.position(text)) >= 0]
    if found:
        return Cause([message for _, message in sorted(found, key=lambda each: each[0])], "")
    near = _nearest(text, every)
    like = f" The nearest is “{near.words[0]}” (in {near.path.name})." if near else ""
    return Cause([], f"This text has none of our {len(every)} messages.{like} {_PASTE} All: `await messages()`.")


_PASTE = "Copy the traceback, its last lines above all, between three quotes: `cause(r'''…''')`."


def _nearest(text: str, every: list[Message]) -> Message | None:
    """Return the message that a line of `text` resembles, or is a part of; None if there is none."""
    best, nearest = _NEAR, None
    for line in text.lower().splitlines()[-20:]:  # the end of a traceback says what it is
        for part in {line.strip(), line.rpartition("Error: ".lower())[2].strip()}:
            for message in every:
                words = message.words[0].lower()
                alike = SequenceMatcher(None, part[:300], words).ratio()
                if len(part) > 8 and part in words:
                    alike = 1.0
                if alike > best:
                    best, nearest = alike, message
    return nearest


@dataclass(frozen=True)
class Cause:
    """The messages that were found in a text, in its order; without any, `advice` says what to do."""

    found: list[Message]
    advice: str

    def __str__(self) -> str:
        return "\n\n".join(map(_told, self.found)) or self.advice.replace("`", "")

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from .checking.card import highlighted, inline

        lines = [f"<p>{inline(self.advice)}</p>"] if self.advice else []
        for message in self.found:
            words = " · ".join(map(escape, message.words))
            lines.append(f"<p><strong>{words}</strong></p><p>{inline(message.means)}</p>")
            lines.append(f"<p>Cure: {_link(message)}</p>{highlighted(message.program)}")
        return {"text/html": "\n".join(["<!-- run this cell to read it -->", *lines]), "text/plain": str(self)}


def _told(message: Message) -> str:
    also = "".join(f"\n    Also: {words}" for words in message.words[1:])
    return f"{message}{also}\n\n{message.program}"


def _link(message: Message) -> str:
    from .checking.card import inline

    return f'<a href="{escape(message.cell)}">{inline(message.cure)}</a>'
