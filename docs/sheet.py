"""Make the cheat sheet: one A4 page, HTML and PDF, out of the cards of notebook 8. `make sheet` runs this.

A card is two neighbouring cells: Markdown with a name, **When**, **Trap** and **Taught**; and code with the tag
`card`. Whatever the sheet says of a pattern stands there. Timelines are left out: at a third of a page's width their
letters would be 2 points high.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import mistune
import nbformat
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "08_patterns_summary.ipynb"


class _Inline(mistune.HTMLRenderer):
    """A paragraph without its <p>, and of a link the text: paper has nothing to click."""

    def paragraph(self, text: str) -> str:
        return text

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return text


_inline = mistune.create_markdown(renderer=_Inline())


@dataclass(frozen=True)
class Card:
    """One pattern. `group` is the question above it, where a new group of cards begins; texts are Markdown."""

    group: str
    name: str
    when: str
    trap: str
    taught: str
    code: str


def cards(notebook: NotebookNode) -> list[Card]:
    """Return the cards of `notebook`, in order. Raises ValueError if there is none, or one is not complete."""
    found = []
    for above, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        if "card" in cell.metadata.get("tags", []):
            found.append(_card(above, cell))
    if not found:
        raise ValueError("there is no card: no code cell has the tag `card`")
    return found


def _card(above: NotebookNode | None, cell: NotebookNode) -> Card:
    text = above.source if above and above.cell_type == "markdown" else ""
    parts = {
        "name": re.search(r"^### (.+)$", text, re.MULTILINE),
        **{part: re.search(rf"^\*\*{part}\*\* (.+)$", text, re.MULTILINE) for part in ("When", "Trap", "Taught")},
    }
    if missing := [part for part, match in parts.items() if not match]:
        raise ValueError(f"the cell above the card `{cell.id}` has no {', no '.join(missing)}")
    name, when, trap, taught = (match[1].strip() for match in parts.values())
    group = re.search(r"^## (.+)$", text, re.MULTILINE)
    return Card(group[1] if group else "", name, when, trap, _notebooks(taught, cell), _pattern(cell))


def _notebooks(taught: str, cell: NotebookNode) -> str:
    """Return which notebooks the links lead to: "3 · 5 deeper"."""
    links = re.findall(r"\((\d\d)_\w+?(_deeper|_project)?\.ipynb", taught)
    if not links:
        raise ValueError(f"the card `{cell.id}` links to no notebook that teaches it")
    return " · ".join(dict.fromkeys(f"{int(number)}{deeper.replace('_', ' ')}" for number, deeper in links))


def _pattern(cell: NotebookNode) -> str:
    """Return the code without what only watches it: definitions, then the lines inside `with trace(…)`."""
    lines = cell.source.splitlines()
    for node in ast.parse(cell.source).body:
        if isinstance(node, ast.With) and ast.unparse(node.items[0]).startswith("trace("):
            before, inside = lines[: node.lineno - 1], lines[node.items[-1].context_expr.end_lineno : node.end_lineno]
            after = [line for line in lines[node.end_lineno :] if line != "card"]
            pattern = "\n".join([*before, textwrap.dedent("\n".join(inside)), *after])
            return re.sub(r"\n{2,}", "\n\n", pattern).strip()  # on paper one empty line is enough
    raise ValueError(f"the card `{cell.id}` has no `with trace(…)`")


def page(notebook: NotebookNode) -> str:
    """Return the sheet as HTML that needs nothing else."""
    every = cards(notebook)
    return _PAGE.format(count=len(every), style=_STYLE, cards="\n".join(_html(every)))


def _html(every: list[Card]) -> Iterator[str]:
    for card in every:
        if card.group:
            yield f"<h2>{_inline(card.group)}</h2>"
        yield _CARD.format(
            name=_inline(card.name),
            taught=escape(card.taught),
            when=_inline(card.when),
            trap=_inline(card.trap),
            code=_marked(card.code),
        )


def _marked(code: str) -> str:
    """Return code as HTML: keywords bold, comments italic, empty lines half as high; what is too long hangs."""
    lines = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)).splitlines()
    return "".join(
        f'<span class="line" style="--indent: {len(line) - len(line.lstrip()) + 4}ch">{line}\n</span>'
        if line
        else '<span class="gap">\n</span>'
        for line in lines
    )


_CARD = """<article>
<div class="top"><h3>{name}</h3> <small><span class="said">taught in notebook</span> {taught}</small></div>
<p><b>When</b> {when}</p>
<pre><code>{code}</code></pre>
<p><b class="trap">Trap</b> {trap}</p>
</article>"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>asyncio: {count} patterns on one page</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>asyncio: {count} patterns on one page</h1>
<p><code>fetch(…)</code> stands for any coroutine function of yours, <code>session</code> for an aiohttp.ClientSession,
<code>taught(3)</code> for what notebook 3 builds. The numbers are the notebooks that teach a pattern, in the
interactive guide to asyncio; all run in its notebook 8.</p>
</header>
<main>
{cards}
</main>
</body>
</html>
"""

# A rem is the size of code, the smallest there is: one number for paper, one for a screen. No colour, on purpose.
_STYLE = """
@page { size: A4 portrait; margin: 6mm }
* { box-sizing: border-box; margin: 0; padding: 0 }
:root { font-size: 14px; color: #181818; background: #fff; print-color-adjust: exact }
body { margin: auto; padding: 1.5rem; max-width: 100rem; font: 1.07rem/1.2 Arial, "Liberation Sans", sans-serif }
code { font: 0.95em "DejaVu Sans Mono", Menlo, Consolas, monospace }
header { display: flex; flex-wrap: wrap; gap: 0.3rem 1.5rem; align-items: baseline; margin-bottom: 1rem }
header p { flex: 1 1 20rem }
main { columns: 3 34rem; column-gap: 0.9rem }
h1 { font-size: 2.4rem; line-height: 1 }
h2 { font-size: 1.2rem; color: #fff; background: #333; padding: 0.1rem 0.5rem; margin-bottom: 0.4rem }
h2 { break-after: avoid }
h3 { font-size: 1.35rem }
small { font-size: 1rem; color: #505050; white-space: nowrap }
article { break-inside: avoid; margin-bottom: 1rem }
.top { display: flex; justify-content: space-between; align-items: baseline; gap: 0.5rem }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.trap { border: 1px solid; border-radius: 0.3rem; padding: 0 0.2rem }
pre { margin: 0.2rem 0 0.3rem; padding: 0.2rem 0 0.2rem 0.25rem; background: #f2f2f2 }
pre code { font-size: 1rem; line-height: 1.17 }
.line { display: block; white-space: pre-wrap; overflow-wrap: anywhere }
.line { padding-left: var(--indent); text-indent: calc(-1 * var(--indent)) }
.gap { display: block; line-height: 0.5 }
.k, .kc, .kn, .ow { font-weight: bold }
.c1 { font-style: italic }
@media print {
  :root { font-size: 6pt }
  body { padding: 0; max-width: none }
  main { columns: 3 }
  pre code { letter-spacing: -0.055em }
}
"""


def main(notebook: Path = NOTEBOOK, folder: Path = ROOT / "build") -> None:
    """Write sheet.html and sheet.pdf into `folder`, and print where they are. Exits with a sentence if that fails."""
    html, pdf = folder / "sheet.html", folder / "sheet.pdf"
    try:
        text = page(nbformat.read(notebook, as_version=4))
    except (OSError, ValueError) as error:
        sys.exit(f"No sheet can be made of {notebook}: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    html.write_text(text, "utf-8")
    pdf.unlink(missing_ok=True)
    print(html)
    try:
        _print(html, pdf)
    except Exception as error:  # whatever it is that keeps a browser from starting
        sys.exit(f"The HTML is complete, but no PDF was printed: {str(error).splitlines()[0]}")
    print(pdf)
    if (pages := len(re.findall(rb"/Type /Page\b", pdf.read_bytes()))) != 1:
        sys.exit(f"The cards fill {pages} pages, and a sheet has one: shorten some")


def _print(html: Path, pdf: Path) -> None:
    from look import browser  # needs playwright, which learners do not

    with browser() as running:
        view = running.new_page()
        view.goto(html.resolve().as_uri())
        view.pdf(path=pdf, prefer_css_page_size=True, print_background=True, tagged=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    main(*map(Path, sys.argv[1:3]))
