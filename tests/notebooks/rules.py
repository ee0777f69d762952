"""What every notebook of the guide must look like: each check takes a notebook and returns a list of complaints.

The numbers and names at the top are the guide's rules; test_rules.py applies them to the real notebooks and
proves on broken ones that every complaint is made.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from nbformat import NotebookNode

import notebook_file
from asynclab.taught import BESIDE
from minutes import load_of

CELLS = (25, 60)  # a sitting
CELLS_OF_APPLICATIONS = (25, 75)  # of chapter 5: three sittings, each readable alone
CELLS_OF_SHORTER = (12, 60)  # of 00_start_here, and of what goes deeper
PROSE = (0.4, 0.6)  # share of the cells
LINES, LINES_OF_MOST, LINES_MEDIAN = 25, 10, 3  # of a code cell: at most, of nine in ten, of half of them
COLUMNS = 100  # of a line of code
SETUP_LINES = 6
GOALS, GOALS_BESIDE = (3, 5), (2, 5)  # after "You will be able to"
PREDICTIONS, PREDICTIONS_OF_SHORTER = 3, 1
MINUTES = 0.15  # the share by which the minutes promised may differ from those counted
BYTES = 1_000_000
ALT = 15  # characters

OWN_TAGS = {"system", "exercise", "check", "slider", "card"}
NBVAL_TAGS = {"nbval-skip", "nbval-ignore-output", "nbval-check-output"}  # not nbval-raises-exception

# Words that a heading must contain, and the chapters in which one must. Beside a chapter, only a summary is asked.
HEADINGS = {
    "summary": range(11),
    "common mistakes": range(1, 11),
    "exercises": (*range(1, 8), 9, 10),  # those of 8 are a project, in a notebook of its own
    "quiz": range(1, 11),
    "the guide says": range(1, 9),  # 09 and 10 are about what the guide leaves out
}
SLIDER_CHAPTERS = range(1, 8)

_FENCED = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
_OUTSIDE = re.compile(r"\b(?:https?|wss?|ftp)://(?!127\.0\.0\.1|localhost|\{)[^\s\"']*")
_VAGUE = {"here", "click here", "link", "this", "this link", "this page", "more", "read more"}
_GUIDES_LOOP = "get_event_loop("  # the guide itself calls it, and its code is shown as it is
_IN_CODE = {
    "# type:": "a comment for a type checker",
    "noqa": "a comment for a linter",
    "NBVAL": "a comment for nbval: use its tag",
    _GUIDES_LOOP: "use asyncio.get_running_loop()",
}
_MACHINE = re.compile(r"(?:/home|/Users|/root|[A-Z]:\\Users)[/\\]|python3\.\d+[/\\]|site-packages")


@dataclass(frozen=True)
class Notebook:
    """A notebook and where it is; the folder above its own is the project's root."""

    path: Path
    content: NotebookNode

    @property
    def number(self) -> int:
        """The chapter's number, from the file name (-1 if it has none)."""
        return int(self.path.name[:2]) if re.match(r"\d\d_", self.path.name) else -1

    @property
    def is_beside(self) -> bool:
        """Whether it stands beside a chapter: what its readers may skip, or a project to build from it."""
        return self.path.stem.endswith(BESIDE)

    @property
    def is_shorter(self) -> bool:
        """Whether it may be shorter than a chapter, and have fewer parts."""
        return self.is_beside or self.number == 0

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells it must have at least, and may have at most."""
        if self.is_shorter:
            return CELLS_OF_SHORTER
        return CELLS_OF_APPLICATIONS if self.number == 5 else CELLS

    @property
    def code(self) -> list[NotebookNode]:
        """The code cells."""
        return notebook_file.code_cells(self.content)

    @property
    def glances(self) -> list[NotebookNode]:
        """The code cells that a glance must take in.

        Chapter 5's systems, and the guide's, are to be read whole, and so are the functions of a project. A card is
        eight lines and its timeline, by a rule of its own: see tests/lessons/test_08_cards.py.
        """
        tags, whole = {"card"}, None
        if self.number == 5:
            tags, whole = {"card", "system"}, r"^class "
        elif self.path.stem.endswith("_project"):
            whole = r"^(async )?def "
        return [
            cell
            for cell in self.code
            if not tags & {*_tags(cell)} and not (whole and re.search(whole, cell.source, re.M))
        ]

    @property
    def prose(self) -> list[NotebookNode]:
        """The markdown cells."""
        return [cell for cell in self.content.cells if cell.cell_type == "markdown"]

    def headings(self) -> Iterator[tuple[int, str]]:
        """Yield (level, text) of every heading, in order."""
        for cell in self.prose:
            for marks, text in _HEADING.findall(_FENCED.sub("", cell.source)):
                yield len(marks), text

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as JupyterLab makes them: the text, with hyphens for spaces."""
        return {_plain(text).replace(" ", "-") for _, text in self.headings()}


def load(path: Path) -> Notebook:
    """Return the notebook at `path`."""
    return Notebook(path, notebook_file.read(path))


def _plain(markdown: str) -> str:
    """Return a heading's text without its markup."""
    text = _LINK.sub(r"\1", _IMAGE.sub("", markdown))
    return re.sub(r"`|\*+|<[^>]+>", "", text).strip()


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _lines(cell: NotebookNode) -> int:
    """Return how many lines of a cell are not empty: the formatter, not the author, decides about the others."""
    return sum(bool(line.strip()) for line in cell.source.splitlines())


# --- anatomy ----------------------------------------------------------------------------------------------------------


def name(notebook: Notebook) -> list[str]:
    """`NN_words_of_the_guide.ipynb`."""
    if re.fullmatch(r"\d\d(_[a-z0-9]+)+\.ipynb", notebook.path.name):
        return []
    return [f"the file must be called NN_words_of_the_guide.ipynb, not {notebook.path.name}"]


def opening(notebook: Notebook) -> list[str]:
    """The first cell: `# N. Title`, minutes, links to the neighbours that exist. Then goals and prerequisites."""
    complaints = []
    first = notebook.content.cells[0]
    title = f"# {notebook.number}. "
    if first.cell_type != "markdown" or not re.match(re.escape(title) + r"\S", first.source):
        complaints.append(f"the first cell begins with {title!r} and a title")
    targets = {target.partition("#")[0] for _, target in _LINK.findall(first.source)}
    complaints += [f"the first cell links to {missing}" for missing in sorted(_neighbours(notebook) - targets)]
    head = "\n\n".join(cell.source for cell in notebook.content.cells[:5] if cell.cell_type == "markdown")
    goals = re.search(r"you will be able to[^\n]*\n\s*((?:^[ \t]*(?:[-*]|\d+\.)[ \t]+.+\n?)+)", head, re.I | re.M)
    count = len(re.findall(r"^(?:[-*]|\d+\.)[ \t]", goals[1], re.M)) if goals else 0
    least, most = GOALS_BESIDE if notebook.is_beside else GOALS
    if not least <= count <= most:
        complaints.append(f"near the top, 'You will be able to' and a list of {least} to {most}, not {count}")
    if "prerequisites" not in head.lower():
        complaints.append("near the top, the prerequisites")
    return complaints


def _neighbours(notebook: Notebook) -> set[str]:
    """Return the notebooks to which one must lead: the chapters before and after it, and what is beside it."""
    folder, number = notebook.path.parent, notebook.number
    chapters = {path.name: int(path.name[:2]) for path in folder.glob("[0-9]*.ipynb") if not path.stem.endswith(BESIDE)}
    if notebook.is_beside:
        return {name for name, chapter in chapters.items() if chapter in (number, number + 1)}
    beside = {name for name, chapter in chapters.items() if abs(chapter - number) == 1}
    return beside | {path.name for path in folder.glob(f"{number:02}_*.ipynb") if path.stem.endswith(BESIDE)}


def setup_and_end(notebook: Notebook) -> list[str]:
    """The first code cell begins the session, in a few lines; the last one ends it."""
    if not notebook.code:
        return ["there is no code"]
    first, last = notebook.code[0], notebook.code[-1]
    complaints = []
    if not re.search(r"^begin\(\)", first.source, re.M):
        complaints.append("the first code cell calls begin()")
    if _lines(first) > SETUP_LINES:
        complaints.append(f"the first code cell has at most {SETUP_LINES} lines, not {_lines(first)}")
    if last.source.strip() != "await end()":
        complaints.append("the last code cell is `await end()` and nothing else")
    return complaints


def parts(notebook: Notebook) -> list[str]:
    """The sections each chapter has, predictions, a slider, and a check after every exercise."""
    found = [text.lower() for level, text in notebook.headings() if level > 1]
    complaints = [
        f"a heading with the words {words!r}"
        for words, chapters in HEADINGS.items()
        if notebook.number in chapters and not (notebook.is_beside and words != "summary")
        if not any(words in text for text in found)
    ]
    predictions = sum(len(re.findall(r"\*\*Predict", cell.source)) for cell in notebook.prose)
    least = PREDICTIONS_OF_SHORTER if notebook.is_shorter else PREDICTIONS
    if predictions < least:
        complaints.append(f"at least {least} questions marked **Predict**, not {predictions}")
    for cell in notebook.prose:
        opened, closed = (len(re.findall(tag, cell.source)) for tag in ("<details", "</details>"))
        if opened != closed:
            complaints.append(f"cell {cell.id!r}: {opened} <details> but {closed} </details>")
    sliders = notebook.number in SLIDER_CHAPTERS and not notebook.is_beside
    if sliders and not any("slider" in _tags(cell) for cell in notebook.code):
        complaints.append("a cell tagged 'slider'")
    exercises = [i for i, cell in enumerate(notebook.code) if "exercise" in _tags(cell)]
    if "exercises" in " ".join(found) and not exercises:
        complaints.append("a cell tagged 'exercise'")
    return complaints + [
        f"cell {notebook.code[i].id!r}: the code cell after an exercise is tagged 'check'"
        for i in exercises
        if i + 1 == len(notebook.code) or "check" not in _tags(notebook.code[i + 1])
    ]


def heading_levels(notebook: Notebook) -> list[str]:
    """One H1, at the top; no level is skipped on the way down."""
    complaints, above = [], 0
    levels = [level for level, _ in notebook.headings()]
    if levels.count(1) != 1:
        complaints.append(f"one heading of level 1, not {levels.count(1)}")
    for level, text in notebook.headings():
        if level > above + 1:
            complaints.append(f"heading {text!r} is of level {level} under one of level {above}")
        above = level
    return complaints


# --- form -------------------------------------------------------------------------------------------------------------


def metadata(notebook: Notebook) -> list[str]:
    """Only what the guide uses: anything else is left over from a program or a person's machine."""
    complaints = []
    whole = notebook.content.metadata
    if extra := set(whole) - {"kernelspec", "language_info", notebook_file.OWN}:
        complaints.append(f"metadata of the notebook: {', '.join(sorted(extra))}")
    for key, wanted in (("kernelspec", notebook_file.KERNELSPEC), ("language_info", notebook_file.LANGUAGE)):
        if whole.get(key) != wanted:
            complaints.append(f"metadata of the notebook: {key} is {wanted}, the same for every Python")
    for cell in notebook.content.cells:
        if extra := set(cell.metadata) - (notebook_file.CELL_METADATA if cell.cell_type == "code" else {"tags"}):
            complaints.append(f"cell {cell.id!r}: metadata {', '.join(sorted(extra))}")
        if extra := set(cell.metadata.get("jupyter", {})) - {"outputs_hidden"}:
            complaints.append(f"cell {cell.id!r}: metadata jupyter.{', '.join(sorted(extra))}")
        allowed = OWN_TAGS | NBVAL_TAGS if cell.cell_type == "code" else set()
        if extra := set(_tags(cell)) - allowed:
            complaints.append(f"cell {cell.id!r}: tag {', '.join(sorted(extra))}")
    return complaints


def cell_ids(notebook: Notebook) -> list[str]:
    """Stable words: they name the tests, and a diff."""
    ids = [cell.get("id", "") for cell in notebook.content.cells]
    complaints = [f"cell id {each!r} occurs twice" for each in sorted({each for each in ids if ids.count(each) > 1})]
    for each in ids:
        if not re.fullmatch(r"(?=.*[a-z]{2})[a-z][a-z0-9]*(?:-[a-z0-9]+)*", each) or len(each) < 3:
            complaints.append(f"cell id {each!r} must be words: lower case letters, digits, hyphens")
        elif re.fullmatch(r"(?=.*\d)[0-9a-f]{8}(-[0-9a-f]{4,})*", each):
            complaints.append(f"cell id {each!r} is a random number")
    return complaints


def budgets(notebook: Notebook) -> list[str]:
    """As many cells as can be read in a sitting, half of them prose, and code that fits in a glance."""
    complaints = []
    cells, (least, most) = len(notebook.content.cells), notebook.cells
    if not least <= cells <= most:
        complaints.append(f"{least} to {most} cells, not {cells}")
    share = len(notebook.prose) / cells
    if not PROSE[0] <= share <= PROSE[1]:
        complaints.append(f"{PROSE[0]:.0%} to {PROSE[1]:.0%} of the cells are prose, not {share:.0%}")
    for cell in notebook.code:
        if _lines(cell) > LINES:
            complaints.append(f"cell {cell.id!r}: at most {LINES} lines, not {_lines(cell)}")
        if (widest := max(map(len, cell.source.splitlines()), default=0)) > COLUMNS:
            complaints.append(f"cell {cell.id!r}: at most {COLUMNS} columns, not {widest}")
    lines = sorted(map(_lines, notebook.glances)) or [0]
    if lines[math.ceil(0.9 * len(lines)) - 1] > LINES_OF_MOST:
        complaints.append(f"nine code cells in ten have at most {LINES_OF_MOST} lines; the lengths are {lines}")
    if statistics.median(lines) > LINES_MEDIAN:
        complaints.append(f"half of the code cells have at most {LINES_MEDIAN} lines; the lengths are {lines}")
    return complaints


def minutes(notebook: Notebook) -> list[str]:
    """What the first cell promises is what the notebook takes, as `minutes.py` counts it."""
    if not (found := re.search(r"\b(\d+) minutes\b", notebook.content.cells[0].source)):
        return ["the first cell says how long the notebook takes, such as “60 minutes”"]
    promised, counted = int(found[1]), load_of(notebook.content, notebook.path.stem).minutes
    if abs(promised - counted) <= MINUTES * counted:
        return []
    return [f"the first cell promises {promised} minutes; counted are {counted:.0f}"]


def code(notebook: Notebook) -> list[str]:
    """No address outside this machine, no words for tools, nothing empty."""
    complaints = []
    for cell in notebook.code:
        if not cell.source.strip():
            complaints.append(f"cell {cell.id!r} is empty")
        complaints += [f"cell {cell.id!r}: {url} is outside this machine" for url in _OUTSIDE.findall(cell.source)]
        complaints += [
            f"cell {cell.id!r}: {text!r}: {why}"
            for text, why in _IN_CODE.items()
            if text in cell.source and not (text == _GUIDES_LOOP and cell.id.startswith("guide-"))
        ]
    return complaints


def size(notebook: Notebook) -> list[str]:
    """Small enough to open at once, to diff, and to be shown by a hosting site."""
    count = len(notebook_file.text(notebook.content).encode())
    return [f"at most {BYTES:,} bytes, not {count:,}"] if count > BYTES else []


# --- outputs ----------------------------------------------------------------------------------------------------------


def freshness(notebook: Notebook) -> list[str]:
    """The outputs are those of this code: all of it, run once, from top to bottom."""
    complaints = []
    stored = notebook.content.metadata.get(notebook_file.OWN, {}).get("source_hash")
    if stored != notebook_file.source_hash(notebook.content):
        complaints.append("the stored outputs are not those of this code: run `make render`")
    for number, cell in enumerate(notebook.code, start=1):
        if cell.execution_count != number:
            was = f"has the number {cell.execution_count}" if cell.execution_count else "was never executed"
            complaints.append(f"cell {cell.id!r} {was}, in one run from the top it is {number}: run `make render`")
            break
    return complaints


def outputs(notebook: Notebook) -> list[str]:
    """No error, no hidden warning, no trace of a machine; hidden at first, exactly where there is something to hide."""
    complaints = []
    for cell in notebook.code:
        if cell.metadata.get("jupyter", {}).get("outputs_hidden", False) != bool(cell.outputs):
            complaints.append(f"cell {cell.id!r}: outputs_hidden is for cells with outputs, and for all of them")
        for output in cell.outputs:
            if output.output_type == "error":
                complaints.append(f"cell {cell.id!r}: an error as output: catch it and explain it")
            text = "\n".join(_texts(output))
            if output.get("name") == "stderr" and (found := re.search("(Resource|Deprecation)Warning", text)):
                complaints.append(f"cell {cell.id!r}: a {found[0]}, which a learner would not see: mend its cause")
            if found := _MACHINE.search(text) or re.search(re.escape(sys.prefix), text):
                complaints.append(f"cell {cell.id!r}: a path of one machine in the output: {found[0]}")
    return complaints


def _texts(output: NotebookNode) -> Iterator[str]:
    """Yield every text of an output, pictures in it left out."""
    for text in (output.get("text"), *output.get("data", {}).values(), *output.get("traceback", ())):
        if isinstance(text, str):
            yield re.sub(r"data:image/[^\"']*", "", text)


class _Elements(HTMLParser):
    """Collects the images and links of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")


def images(notebook: Notebook) -> list[str]:
    """Every picture says in words what it shows."""
    complaints = []
    for cell in notebook.content.cells:
        pieces = [(cell.source, False)] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            pieces.append((data.get("text/html", ""), True))
            complaints += [
                f"cell {cell.id!r}: a bare {kind}, which has no alternative text: show it with asynclab.page.html"
                for kind in data
                if kind.startswith("image/")
            ]
        for piece, is_html in pieces:
            text = piece if is_html else _CODE_SPAN.sub("", _FENCED.sub("", piece))
            alts = [image.get("alt") or "" for image in _Elements(text).images]
            alts += [] if is_html else _IMAGE.findall(text)
            complaints += [
                f"cell {cell.id!r}: the alternative text {alt!r} says too little (under {ALT} characters)"
                for alt in alts
                if len(alt.strip()) < ALT
            ]
    return complaints


def links(notebook: Notebook) -> list[str]:
    """What a link points at exists, down to the heading, and its text says where it leads."""
    complaints = []
    for cell in notebook.prose:
        text = _CODE_SPAN.sub("", _FENCED.sub("", cell.source))
        pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text)
        named = _LINK.findall(_IMAGE.sub(r"\1", text))
        html = _Elements(text)
        targets = [target for _, target in named] + _DEFINITION.findall(text) + pictures + html.links
        targets += [image["src"] or "" for image in html.images if image.get("src")]
        complaints += [f"cell {cell.id!r}: {why}" for target in targets if (why := _broken(notebook, target))]
        complaints += [
            f"cell {cell.id!r}: the link text {words!r} does not say where it leads"
            for words, _ in named
            if words.strip().lower() in _VAGUE
        ]
    return complaints


def _broken(notebook: Notebook, target: str) -> str:
    """Return why `target` leads nowhere, or "". Addresses on the web are not tried: the suite runs offline."""
    if re.match(r"(https?|mailto|data|attachment):", target):
        return ""
    file, _, fragment = unquote(target).partition("#")
    path = (notebook.path.parent / file).resolve() if file else notebook.path
    if file.startswith("/") or not path.is_relative_to(notebook.path.parent.parent.resolve()):
        return f"the link {target!r} leads out of the project"
    if file and not path.exists():
        return f"the link {target!r} leads to no file"
    if not fragment or path.suffix != ".ipynb":
        return ""
    there = load(path) if file else notebook
    if fragment.startswith("cell-id="):  # JupyterLab's link to a cell, which nbconvert follows, too
        found = any(f"cell-id={cell.id}" == fragment for cell in there.content.cells)
        return "" if found else f"the link {target!r} leads to no cell"
    anchors = there.anchors()
    return "" if fragment in anchors else f"the link {target!r} leads to no heading; there are {sorted(anchors)}"


Check = Callable[[Notebook], list[str]]
CHECKS: tuple[Check, ...] = (
    name, opening, setup_and_end, parts, heading_levels, metadata, cell_ids, budgets, minutes, code, size,
    freshness, outputs, images, links,
)  # fmt: skip
