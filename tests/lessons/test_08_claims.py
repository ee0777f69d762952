"""Each claim of the guide has a verdict, and a cell that measured it; each misconception has a cell that stages it.

guide_claims.csv lists what the guide claims: its words, `quote`, and `says`, the first column of the chapter's table.
misconceptions.csv lists the 24. In both, `cell` is where the row must lead, and `evidence` is a regular expression that
must be found there: in what the cell has printed or shown, or in what it asserts.
"""

import ast
import csv
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from asynclab.claims import claims
from asynclab.taught import NOTEBOOKS

GUIDE, MISTAKES = "The guide says … we measured", "Common mistakes"
VERDICTS = {"holds", "holds if", "does not hold"}
HERE = Path(__file__).parent


def listed(name, text):
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [(line[text], line["cell"], line["evidence"]) for line in csv.DictReader(file)]


def shown(cell, folder):
    """What a code cell has stored as text, and what it asserts; None if there is no such code cell."""
    name, _, word = cell.partition("#cell-id=")
    notebook = json.loads((folder / name).read_text("utf-8"))
    found = [each for each in notebook["cells"] if each["id"] == word and each["cell_type"] == "code"]
    if not found:
        return None
    source = "".join(found[0]["source"])
    asserted = [node.test for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    outputs = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in found[0]["outputs"]]
    html = ["".join(output.get("data", {}).get("text/html", "")) for output in found[0]["outputs"]]
    return "\n".join([*map("".join, outputs), *html, *(ast.get_source_segment(source, test) for test in asserted)])


def unproved(rows, listed, folder):
    """What is wrong with `rows`, pairs of a text and a cell, beside a list of (text, cell, evidence)."""
    here, wanted = Counter(text for text, _ in rows), Counter(text for text, *_ in listed)
    complaints = [
        f"{text!r} has {here[text]} rows, and is listed {wanted[text]} times"
        for text in here | wanted
        if (here[text], wanted[text]) != (1, 1)
    ]
    cells = dict(rows)
    for text, cell, evidence in listed:
        if cells.get(text, cell) != cell:
            complaints.append(f"{text!r} leads to {cells[text]}, not to {cell}")
        elif (proof := shown(cell, folder)) is None:
            complaints.append(f"{text!r}: there is no code cell {cell}")
        elif not re.search(evidence, proof, re.M):
            complaints.append(f"{text!r}: {cell} does not show {evidence!r}")
        elif re.search(evidence, "", re.M):
            complaints.append(f"{text!r}: any cell shows {evidence!r}")
    return complaints


def ill_judged(rows):
    """What is wrong with the verdicts."""
    unknown = [f"{row.claim!r}: {row.verdict!r} is no verdict" for row in rows if row.verdict not in VERDICTS]
    return unknown + [
        f"{row.claim!r} holds if what?"
        for row in rows
        if row.verdict == "holds if" and not re.search(r"\bif\b", row.found)
    ]


def test_each_claim_of_the_guide_is_measured():
    rows = claims(GUIDE).rows
    assert ill_judged(rows) == []
    assert unproved([(row.claim, row.cell) for row in rows], listed("guide_claims.csv", "says"), NOTEBOOKS) == []


def test_each_claim_stands_in_its_chapter():
    with (HERE / "guide_claims.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(line["quote"] for line in lines)
    homes = {row.claim: int(row.notebook[:2]) for row in claims(GUIDE).rows}
    assert {line["says"]: int(line["chapter"]) for line in lines} == homes


def test_each_misconception_is_staged():
    rows = claims(MISTAKES).rows
    assert [row.claim for row in rows] == [str(number) for number in range(1, 25)]
    assert unproved([(row.found, row.cell) for row in rows], listed("misconceptions.csv", "belief"), NOTEBOOKS) == []


def test_the_answer_to_the_prediction_is_that_of_the_table():
    found = claims(GUIDE)
    [source] = [
        "".join(cell["source"])
        for path in NOTEBOOKS.glob("08_patterns_summary.ipynb")
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if f"## {GUIDE}" in "".join(cell["source"])
    ]
    prediction = source.partition("**Predict.**")[2]
    numbers = [len(found.rows), *(found.verdicts[word] for word in ("holds", "holds if", "does not hold"))]
    assert re.findall(r"\d+", prediction) == [str(number) for number in numbers]


# --- it would fail ----------------------------------------------------------------------------------------------------

TABLE = f"""\
## {GUIDE}

| The guide says | We measured | Verdict | Where |
|---|---|---|---|
| it takes a second | 1 s | holds | [here below](#cell-id=timed) |
| it is safe | if you await it | holds if | [an assert](01_sample.ipynb#cell-id=safe) |
"""
LISTED = [
    ("it takes a second", "01_sample.ipynb#cell-id=timed", r"^1\.\d s"),
    ("it is safe", "01_sample.ipynb#cell-id=safe", r"done == 2"),
]


def judged(folder, table=TABLE, listed=LISTED):
    output = new_output("stream", name="stdout", text="1.0 s\n")
    cells = [
        new_markdown_cell(table, id="guide"),
        new_code_cell("print(await timed())", id="timed", outputs=[output]),
        new_code_cell("done = 2\nassert done == 2", id="safe"),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "01_sample.ipynb")
    rows = claims(GUIDE, folder).rows
    return ill_judged(rows) + unproved([(row.claim, row.cell) for row in rows], listed, folder)


def test_a_sample_without_fault_passes(tmp_path):
    assert judged(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("it takes a second", "it takes two", "'it takes a second' has 0 rows"),
        ("it takes a second", "it takes two", "'it takes two' has 1 rows, and is listed 0 times"),
        ("it takes a second", "it is safe", "'it is safe' has 2 rows"),
        ("holds |", "is true |", "'is true' is no verdict"),
        ("if you await it", "mostly", "holds if what?"),
        ("#cell-id=timed", "#cell-id=safe", "leads to 01_sample.ipynb#cell-id=safe, not to"),
    ],
)
def test_a_fault_in_a_table_is_named(tmp_path, old, new, complaint):
    assert any(complaint in each for each in judged(tmp_path, TABLE.replace(old, new)))


@pytest.mark.parametrize(
    ("cell", "evidence", "complaint"),
    [
        ("timed", r"2\.\d s", "does not show"),
        ("timed", "print", "does not show"),  # what stands in the code proves nothing
        ("timed", "", "any cell shows"),
        ("guide", "second", "there is no code cell"),
        ("gone", "1", "there is no code cell"),
    ],
)
def test_a_claim_without_a_measurement_is_named(tmp_path, cell, evidence, complaint):
    where = f"01_sample.ipynb#cell-id={cell}"
    table = TABLE.replace("#cell-id=timed", f"#cell-id={cell}")
    assert any(complaint in each for each in judged(tmp_path, table, [(LISTED[0][0], where, evidence), LISTED[1]]))
