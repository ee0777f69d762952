"""The cheat sheet as HTML: every card of notebook 8 is on it, whole, and nothing else is needed to read it."""

from __future__ import annotations

import ast
import re
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import sheet

TAUGHT = "**Taught** [e](01_x.ipynb#F?) · [g](05_x_deeper.ipynb)"
TEXT = f"## Why?\n\n### Name\n\n**When** `a` & *b*.\n\n**Trap** c <d>.\n\n{TAUGHT}"
CODE = 'async def f():\n    pass\n\n\nwith trace("Name") as card:\n    await f()  # g\ncard'


def notebook(text: str = TEXT, code: str = CODE) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell(text), new_code_cell(code, id="it", metadata={"tags": ["card"]})])


def shown(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


@pytest.fixture(scope="module")
def page() -> str:
    return sheet.page(nbformat.read(sheet.NOTEBOOK, as_version=4))


def test_a_card_says_on_paper_what_it_says_in_the_notebook() -> None:
    (card,) = sheet.cards(notebook())
    assert card == sheet.Card(
        "Why?", "Name", "`a` & *b*.", "c <d>.", "1 · 5 deeper", "async def f():\n    pass\n\nawait f()  # g"
    )
    text = shown(sheet.page(notebook()))
    assert "Why? Name taught in notebook 1 · 5 deeper When a & b. async def f(): pass await f() # g Trap c <d>." in text


def test_every_card_of_the_notebook_is_on_the_sheet_word_for_word(page: str) -> None:
    text, cells = shown(page).replace("*", ""), nbformat.read(sheet.NOTEBOOK, as_version=4).cells
    every = [index for index, cell in enumerate(cells) if "card" in cell.metadata.get("tags", [])]
    assert f"{len(every)} patterns on one page" in text and "trace(" not in text
    for index in every:
        prose = re.sub(r"\[(.*?)\]\(.*?\)|[*`#]", r"\1", cells[index - 1].source.partition("**Taught**")[0])
        assert [line for line in prose.splitlines() if " ".join(line.split()) not in text] == []
        code = [line for line in cells[index].source.splitlines() if not re.match(r"with trace\(|card$", line)]
        parts = [re.sub(r"[\s*]", "", part) for line in code for part in line.split("  # ")]
        assert [part for part in parts if part not in text.replace(" ", "")] == []


def test_code_on_the_sheet_is_python_without_a_trace(page: str) -> None:
    for code in re.findall("<pre><code>(.*?)</code></pre>", page, re.DOTALL):
        plain = unescape(re.sub("<[^>]*>", "", code))
        assert "card" not in {node.id for node in ast.walk(ast.parse(plain)) if isinstance(node, ast.Name)}


def test_it_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(
        r"<(?!/?(?:p|b|i|em|code|span|h\d)\b)[^>]*\b(src|href|on\w+)=|url\(|@import|<script|<link", page
    )


def test_it_can_be_read_aloud(page: str) -> None:
    assert '<html lang="en">' in page and re.search("<title>.+</title>", page)
    levels = [int(level) for level in re.findall(r"<h(\d)>", page)]
    assert levels[:3] == [1, 2, 3] and set(levels[3:]) == {2, 3}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (new_notebook(), "there is no card: no code cell has the tag `card`"),
        (notebook(text="### Name"), "the cell above the card `it` has no When, no Trap, no Taught"),
        (notebook(text=TEXT.replace("### Name", "")), "the cell above the card `it` has no name"),
        (notebook(text=re.sub(r"\(.*?\)", "()", TEXT)), "the card `it` links to no notebook that teaches it"),
        (notebook(code="await f()"), "the card `it` has no `with trace"),
    ],
)
def test_a_notebook_that_makes_no_sheet_is_told_why(cells: nbformat.NotebookNode, message: str, tmp_path: Path) -> None:
    nbformat.write(cells, tmp_path / "bad.ipynb")
    with pytest.raises(SystemExit) as ended:
        sheet.main(tmp_path / "bad.ipynb", tmp_path)
    assert message in str(ended.value) and not (tmp_path / "sheet.html").exists()


def test_without_a_browser_the_html_is_there_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def browser() -> None:
        raise RuntimeError("no browser was found")

    monkeypatch.setitem(sys.modules, "look", SimpleNamespace(browser=browser))
    (tmp_path / "sheet.pdf").write_text("of yesterday")
    with pytest.raises(SystemExit, match="The HTML is complete, but no PDF was printed: no browser was found"):
        sheet.main(folder=tmp_path)
    assert (tmp_path / "sheet.html").exists() and not (tmp_path / "sheet.pdf").exists()
