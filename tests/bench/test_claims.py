"""The table of claims: rows from every notebook that has them, links that lead somewhere, no row misread in silence."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from asynclab.claims import claims

HEAD = "| They say | We saw | | Where |\n|---|---|---|---|\n"
FIRST = "| `a < b` | 1 & 2 | yes | [the cell](#cell-id=first) |\n"
SECOND = "| c | never | no | [its `cell`](01_a.ipynb#cell-id=first) |\n"


def write(folder, name, *texts):
    cells = [new_markdown_cell(text, id=f"text-{number}") for number, text in enumerate(texts)]
    nbformat.write(
        new_notebook(cells=[*cells, new_code_cell(f"# What they say\n{SECOND!r}", id="first")]), folder / name
    )


@pytest.fixture
def folder(tmp_path):
    write(
        tmp_path,
        "01_a.ipynb",
        f"## Before\n\n{HEAD}{SECOND}\n## What they say\n\nIntro.\n\n{HEAD}{FIRST}\n## After\n\n{HEAD}",
    )
    write(tmp_path, "02_b.ipynb", "# None", f"## What they say, once more\n\n{HEAD}{SECOND}{FIRST}")
    return tmp_path


def test_the_rows_of_all_notebooks_come_in_order(folder):
    found = claims("What they say", folder)
    assert [(row.notebook, row.claim) for row in found.rows] == [
        ("01_a.ipynb", "`a < b`"), ("02_b.ipynb", "c"), ("02_b.ipynb", "`a < b`"),
    ]  # fmt: skip
    assert [row.cell for row in found.rows] == [
        f"0{n}_{w}.ipynb#cell-id=first" for n, w in ((1, "a"), (1, "a"), (2, "b"))
    ]
    assert found.verdicts == {"yes": 2, "no": 1}


def test_it_is_shown_as_text_and_as_html(folder):
    shown = claims("What they say", folder)._repr_mimebundle_()
    assert shown["text/plain"].splitlines()[:5] == [
        "3 claims. yes: 2, no: 1", "", "01_a.ipynb", "yes  `a < b`", "     1 & 2 → 01_a.ipynb#cell-id=first",
    ]  # fmt: skip
    html = shown["text/html"]
    assert html.count("<tr>") == 4
    assert "<code>a &lt; b</code>" in html and "1 &amp; 2" in html
    assert '<a href="01_a.ipynb#cell-id=first">its <code>cell</code></a>' in html


@pytest.mark.parametrize(
    "row", ["| a | b | yes |", "| a | b | yes | no link |", "| a | b | yes | [a heading](#There) |"]
)
def test_a_row_that_is_none_is_refused(folder, row):
    write(folder, "03_c.ipynb", f"## What they say\n\n{HEAD}{row}\n")
    with pytest.raises(ValueError, match=r"03_c\.ipynb: a row needs four columns"):
        claims("What they say", folder)


def test_a_heading_without_a_table_is_refused(folder):
    with pytest.raises(LookupError, match="Nowhere"):
        claims("Nowhere", folder)
