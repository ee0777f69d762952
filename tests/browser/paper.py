"""The cheat sheet as a printer and a screen show it; a picture of it in build/browser/sheet.png."""

from __future__ import annotations

import itertools
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image, ImageChops
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import sheet  # noqa: E402

PICTURE = ROOT / "build" / "browser" / "sheet.png"
PAPER = 198 / 25.4 * 96  # pixels between the margins of A4

# What spoils the page: letters below 6 points, what is wider than its box, cards on top of each other.
FAULTS = """() => {
    const faults = [], cards = [...document.querySelectorAll('article')].map(card => card.getBoundingClientRect());
    for (const each of document.querySelectorAll('body, body *:not(.said)')) {
        const text = each.textContent.trim().slice(0, 30), style = getComputedStyle(each);
        if (text && parseFloat(style.fontSize) < 8) faults.push(`too small: ${text}`);
        if (each.clientWidth < each.scrollWidth && each.clientWidth && style.overflowX !== 'auto')
            faults.push(`cut off: ${text}`);
    }
    if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window');
    cards.forEach((a, i) => cards.slice(i + 1).forEach((b, j) => {
        if (a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            faults.push(`card ${i + 1} overlaps card ${i + j + 2}`);
    }));
    return faults;
}"""


def notebook_of(folder: Path, trap: str = "b.", number: int = 1) -> Path:
    text = f"### Name\n\n**When** a.\n\n**Trap** {trap}\n\n**Taught** [c](01_d.ipynb)"
    code = "with trace('Name') as card:\n    pass\ncard"
    path = folder / "cards.ipynb"
    cells = [(new_markdown_cell(text), new_code_cell(code, metadata={"tags": ["card"]})) for _ in range(number)]
    nbformat.write(new_notebook(cells=[*itertools.chain(*cells)]), path)
    return path


def printed(*arguments: Path) -> None:
    """Print in a thread: one thread has one loop of playwright's, and this one has that of the other tests' browser."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(sheet.main, *arguments).result()


def test_the_sheet_is_one_sheet_of_a4(tmp_path: Path) -> None:
    printed(sheet.NOTEBOOK, tmp_path)
    boxes = re.findall(rb"/MediaBox \[([^]]+)\]", (tmp_path / "sheet.pdf").read_bytes())
    assert [[round(float(each)) for each in box.split()] for box in boxes] == [[0, 0, 595, 842]]


def test_what_needs_a_second_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"The cards fill [2-9] pages"):
        printed(notebook_of(tmp_path, number=90), tmp_path)


@pytest.mark.parametrize(("medium", "width"), [("print", PAPER), ("screen", 360), ("screen", 1280)])
def test_nothing_is_cut_off_or_lies_on_something_else(
    chromium: Browser, tmp_path: Path, medium: str, width: float
) -> None:
    (tmp_path / "sheet.html").write_text(sheet.page(nbformat.read(sheet.NOTEBOOK, as_version=4)), "utf-8")
    faulty = tmp_path / "faulty.html"
    faulty.write_text(sheet.page(nbformat.read(notebook_of(tmp_path, "x" * 200), as_version=4)), "utf-8")
    view = chromium.new_page(viewport={"width": int(width), "height": 800}, device_scale_factor=2)
    view.emulate_media(media=medium)
    view.goto(faulty.as_uri())
    assert "cut off: Trap xxx" in "\n".join(view.evaluate(FAULTS))
    view.goto((tmp_path / "sheet.html").as_uri())
    assert view.evaluate(FAULTS) == []
    if medium == "print":
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        view.screenshot(path=PICTURE, full_page=True)
    view.close()


def test_it_has_no_colour_that_a_grey_printer_could_lose(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "sheet.html").write_text(sheet.page(nbformat.read(sheet.NOTEBOOK, as_version=4)), "utf-8")
    view = chromium.new_page(viewport={"width": 1280, "height": 800})
    view.goto((tmp_path / "sheet.html").as_uri())
    view.screenshot(path=tmp_path / "sheet.png", full_page=True)
    view.close()
    red, green, blue = Image.open(tmp_path / "sheet.png").convert("RGB").split()
    assert ImageChops.difference(red, green).getbbox() is ImageChops.difference(green, blue).getbbox() is None
