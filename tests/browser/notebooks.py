"""Every notebook as a learner meets it: opened, before and after Run All, in both themes.

The pictures of every section lie in build/browser/NAME/ afterwards.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

import notebook_file
from barriers import barriers
from lab import BESIDE, DARK, LIGHT, PICTURES, ROOT, SAVE, Lab, Opened

# The longest first, so that no worker is left alone with one at the end.
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"), key=lambda path: -path.stat().st_size)


def before_running(cells: list[dict[str, Any]]) -> list[str]:
    """Return what would spoil a prediction: stored outputs that are seen before their cell has run."""
    faults = []
    for cell in cells:
        if cell["outputs"] and not (cell["hidden"] and cell["dots"]):
            faults.append(f"cell {cell['id']} shows its output before it has run")
        if any(image["shown"] and image["measured"] for image in cell["images"]):
            faults.append(f"cell {cell['id']} shows a figure before it has run")
    return faults


def after_running(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the cells after Run All, compared with the stored notebook `before`."""
    faults = []
    for old, cell in zip(before, after, strict=True):
        if cell["code"] and not cell["executed"]:
            faults.append(f"cell {cell['id']} has not run")
        if old["outputs"] and not cell["outputs"]:
            faults.append(f"cell {cell['id']} has lost its output")
        if cell["outputs"] and (cell["hidden"] or cell["dots"]):
            faults.append(f"cell {cell['id']} still hides its output")
        faults += [f"cell {cell['id']}: {output}" for output in cell["outputs"] if output.startswith("error")]
        for image in cell["images"]:
            # JupyterLab says "Image" for a picture of which the Markdown says nothing.
            if len(image["alt"].strip()) < (15 if image["measured"] else 1) or image["alt"] == "Image":
                faults.append(f"cell {cell['id']} has a picture without an alternative text: {image['alt']!r}")
            if image["broken"] and image["ours"]:
                faults.append(f"cell {cell['id']} has a picture that cannot be shown")
    return faults


def without_outputs(path: Path) -> nbformat.NotebookNode:
    """Return the notebook without its outputs, and without what says whether they are hidden."""
    notebook = notebook_file.read(path)
    for cell in notebook_file.code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
        for key in ("collapsed", "jupyter"):
            cell.metadata.pop(key, None)
    return notebook


def outline(cells: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the headings: one title, at the top, and no level left out below it."""
    headings = [heading for cell in cells for heading in cell["headings"]]
    levels = [level for level, _ in headings]
    faults = [] if levels[:1] == [1] and levels.count(1) == 1 else ["there is not one title, at the top"]
    for (above, _), (level, text) in itertools.pairwise(headings):
        if level > above + 1:
            faults.append(f"the heading {text!r} leaves out a level")
    return faults


def sections(cells: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Return (name of a file, first cell, last cell) for the part above the first `##` and for each `##`."""
    starts = [(0, "title")]
    for index, cell in enumerate(cells):
        starts += [(index, text) for level, text in cell["headings"] if level == 2][:1]
    ends = [start - 1 for start, _ in starts[1:]] + [len(cells) - 1]
    named = zip(starts, ends, strict=True)
    return [
        (f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')[:60]}.png", start, end)
        for number, ((start, text), end) in enumerate(named, 1)
        if end >= start
    ]


def in_the_first_minute(opened: Opened) -> list[str]:
    """Return what disturbs a learner who has just opened a notebook, or has changed it meanwhile."""
    opened.page.wait_for_timeout(2000)  # long enough for a question, or for a mark of change
    beside = opened.page.evaluate(BESIDE)
    titles = [text for cell in opened.cells() for level, text in cell["headings"] if level <= 2]
    faults = [f"the page asks {box!r}" for box in beside["asked"]]
    faults += ["it is shown as changed"] * beside["changed"]
    if beside["left"] != ["table-of-contents"]:
        faults.append(f"beside it stands {beside['left']}, not its contents")
    return faults + [f"its contents lack {title!r}" for title in titles if title not in beside["listed"]]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_learner_opens_it_and_runs_all(lab: Lab, path: Path) -> None:
    folder, copy = PICTURES / path.stem, lab.root / "notebooks" / path.name
    shutil.rmtree(folder, ignore_errors=True)
    as_stored = copy.read_bytes()
    with lab.open(path.name, alone=False) as opened:
        faults = in_the_first_minute(opened)
        opened.page.screenshot(path=folder / "00-first-minute.png")
        opened.page.evaluate(SAVE)
        if copy.read_bytes() != as_stored:
            faults.append("saved before it has run, it differs")
        before = opened.cells()
        if (result := opened.run_all()) is not True:
            faults.append(f"Run All answered {result}")
        opened.page.wait_for_timeout(1000)  # sliders draw themselves after their cell has run
        after = opened.cells()
        opened.page.evaluate(SAVE)
        with opened.in_full():
            for picture, first, last in sections(after):
                opened.picture(folder / picture, first, last)
            faults += barriers(opened)
    faults += before_running(before) + after_running(before, after) + outline(after) + opened.complaints
    if without_outputs(copy) != without_outputs(path):
        faults.append("saved after Run All, it differs in more than its outputs")
    assert not faults, "\n".join(["", *faults])


def test_the_checks_see_each_fault(lab: Lab) -> None:
    shown = new_output("stream", name="stdout", text="4\n")
    hidden = {"jupyter": {"outputs_hidden": True}}
    lab.write(
        "faulty.ipynb",
        new_markdown_cell("# Title", id="title"),
        new_markdown_cell("## One\n\n#### Three\n\n![](nowhere.png)", id="gap"),
        new_code_cell("print(2 + 2)", id="seen", outputs=[shown]),
        new_code_cell("print(2 + 2)", id="fine", outputs=[shown], metadata=hidden),
        new_code_cell("2 + 2;", id="lost", outputs=[shown], metadata=hidden),
        new_code_cell("1 / 0", id="error"),
        new_code_cell("3", id="late"),
    )
    with lab.open("faulty.ipynb") as opened:
        before = opened.cells()
        assert before_running(before) == ["cell seen shows its output before it has run"]
        assert opened.run_all() is False
        after = opened.cells()
    assert after_running(before, after) == [
        "cell gap has a picture without an alternative text: 'Image'",
        "cell gap has a picture that cannot be shown",
        "cell lost has lost its output",
        "cell error: error: ZeroDivisionError: division by zero",
        "cell late has not run",
    ]
    assert outline(after) == ["the heading 'Three' leaves out a level"]
    assert [name for name, _, _ in sections(after)] == ["01-title.png", "02-one.png"]
    assert any("404" in complaint for complaint in opened.complaints)


def test_the_checks_see_each_barrier(lab: Lab) -> None:
    faulty = (
        '<p style="color:#333">pale</p><p style="color:#ccc">pale</p><details><summary>More</summary>'
        '<p style="color:#aaa;background:#fff">pale</p></details><input type="range">'
        'A <a href="#b" style="color:#00f">link</a> in a text<pre tabindex="1">first</pre>'
    )
    lab.write(
        "barriers.ipynb",
        new_markdown_cell("# Title\n\nA [link](barriers.ipynb) and `code`.", id="fine"),
        new_code_cell("print('far down\\n' * 200)", id="tall"),
        new_markdown_cell("| A | |\n|---|---|\n| 1 | 2 |", id="table"),
        new_code_cell(f"from IPython.display import HTML\n\nHTML({faulty!r})", id="html"),
    )
    with lab.open("barriers.ipynb") as opened:
        assert opened.run_all() is True
        found = [re.match(r"(.*?): cell (\w+): ([\w-]+):", fault).groups() for fault in barriers(opened)]
    assert Counter(found) == {
        (DARK, "html", "color-contrast"): 3,  # also the blue of the link
        (LIGHT, "html", "color-contrast"): 2,
        (LIGHT, "html", "label"): 1,
        (LIGHT, "html", "link-in-text-block"): 1,
        (LIGHT, "html", "tabindex"): 1,
        (LIGHT, "table", "empty-table-header"): 1,
    }
