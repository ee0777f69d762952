"""Every notebook obeys the rules of rules.py, and every rule can tell a notebook that breaks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

import notebook_file
import rules
import sample_notebook
from rules import Notebook


@pytest.mark.parametrize("check", rules.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", notebook_file.paths(), ids=lambda path: path.stem)
def test_notebook(path: Path, check: rules.Check) -> None:
    """A real notebook."""
    if complaints := check(rules.load(path)):
        pytest.fail("\n".join(["", *complaints]), pytrace=False)


def test_the_table_of_lessons_names_each_notebook_and_its_minutes() -> None:
    table = (notebook_file.ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[.*\]\(notebooks/(\w+)\.ipynb\) \|.*\| (\d+)[^|]*\|$", table, re.MULTILINE)
    promised = [re.search(r"(\d+) minutes", rules.load(path).content.cells[0].source) for path in notebook_file.paths()]
    assert dict(listed) == {path.stem: found[1] for path, found in zip(notebook_file.paths(), promised, strict=True)}


@pytest.fixture
def sample(tmp_path: Path) -> Notebook:
    """Return a notebook without fault, in a project of its own."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").write_text("# Read me\n")
    return Notebook(tmp_path / "notebooks" / "02_sample.ipynb", sample_notebook.executed(sample_notebook.sample(2)))


def find(notebook: Notebook, name: str):
    """Return the cell with the id `name`."""
    return next(cell for cell in notebook.content.cells if cell.id == name)


@pytest.mark.parametrize("check", rules.CHECKS, ids=lambda check: check.__name__)
def test_the_sample_is_without_fault(sample: Notebook, check: rules.Check) -> None:
    assert check(sample) == []


def edit(name: str, old: str, new: str) -> Callable[[Notebook], None]:
    """Return a fault: in the cell `name`, the text `old` is `new`."""

    def apply(notebook: Notebook) -> None:
        cell = find(notebook, name)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return apply


def add(name: str, text: str) -> Callable[[Notebook], None]:
    """Return a fault: the cell `name` ends with `text`."""

    def apply(notebook: Notebook) -> None:
        find(notebook, name).source += text

    return apply


def drop(*names: str) -> Callable[[Notebook], None]:
    """Return a fault: the cells `names` are missing."""

    def apply(notebook: Notebook) -> None:
        assert {cell.id for cell in notebook.content.cells} >= set(names)
        notebook.content.cells = [cell for cell in notebook.content.cells if cell.id not in names]

    return apply


def insert(*cells) -> Callable[[Notebook], None]:
    """Return a fault: `cells` stand before the last one."""

    def apply(notebook: Notebook) -> None:
        notebook.content.cells[-1:-1] = cells

    return apply


def put(name: str, value: object, *keys: str) -> Callable[[Notebook], None]:
    """Return a fault: `value` stands at `keys` of the cell `name`, or of the notebook if `name` is empty."""

    def apply(notebook: Notebook) -> None:
        target = find(notebook, name) if name else notebook.content
        for key in keys[:-1]:
            target = target.setdefault(key, {})
        target[keys[-1]] = value

    return apply


def show(**data: str) -> Callable[[Notebook], None]:
    """Return a fault: a cell displays `data`, MIME types written with _ for /."""
    bundle = {kind.replace("_", "/"): text for kind, text in data.items()}
    return put("count", [new_output("display_data", bundle)], "outputs")


def prints(text: str, stream: str = "stdout") -> Callable[[Notebook], None]:
    """Return a fault: a cell prints `text`."""
    return put("count", [new_output("stream", name=stream, text=text)], "outputs")


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
FIGURE = '<img alt="{}" src="data:image/png;base64,AAAA">'

# What is broken; what the complaint says.
FAULTS: dict[str, list[tuple[Callable[[Notebook], None], str]]] = {
    "opening": [
        (edit("title", "# 2. A", "# A"), "begins with '# 2. '"),
        (edit("title", "# 2. A", "# 1. A"), "begins with '# 2. '"),
        (edit("goals", "You will be able to", "We shall see"), "'You will be able to'"),
        (edit("goals", "- wait\n", ""), "list of 3 to 5, not 2"),
        (edit("goals", "- wait\n", "- wait\n" * 4), "list of 3 to 5, not 6"),
        (edit("goals", "Prerequisites", "You need"), "the prerequisites"),
    ],
    "setup_and_end": [
        (edit("setup", "begin()", "pass"), "calls begin()"),
        (edit("setup", "begin()", "# begin()"), "calls begin()"),
        (add("setup", "\nx = 1\n" * 4), "at most 6 lines, not 7"),
        (add("end", "\nprint('over')"), "`await end()` and nothing else"),
        (drop("end"), "`await end()` and nothing else"),
    ],
    "parts": [
        *((drop(name), words) for name, words in [
            ("summary", "'summary'"), ("mistakes", "'common mistakes'"), ("exercises", "'exercises'"),
            ("quiz", "'quiz'"), ("claims", "'the guide says'"), ("slide", "'slider'"),
            ("exercise", "tagged 'exercise'"), ("check", "tagged 'check'"),
        ]),
        (edit("how-long", "**Predict", "**Guess"), "3 questions marked **Predict**, not 2"),
        (edit("how-long", "</details>", ""), "1 <details> but 0 </details>"),
    ],
    "heading_levels": [
        (edit("how-long", "## How", "# How"), "one heading of level 1, not 2"),
        (edit("title", "# 2", "## 2"), "one heading of level 1, not 0"),
        (edit("read-the-picture", "### A", "#### A"), "of level 4 under one of level 2"),
    ],
    "metadata": [
        (put("", {"state": {}}, "metadata", "widgets"), "notebook: widgets"),
        (put("", "Python 3.13", "metadata", "kernelspec", "display_name"), "kernelspec is"),
        (put("", "3.13.1", "metadata", "language_info", "version"), "language_info is"),
        (put("count", {"iopub.status.busy": "2020"}, "metadata", "execution"), "'count': metadata execution"),
        (put("goals", {"outputs_hidden": True}, "metadata", "jupyter"), "'goals': metadata jupyter"),
        (put("count", True, "metadata", "jupyter", "source_hidden"), "metadata jupyter.source_hidden"),
        (put("count", ["raises-exception"], "metadata", "tags"), "tag raises-exception"),
        (put("count", ["nbval-raises-exception"], "metadata", "tags"), "tag nbval-raises-exception"),
        (put("goals", ["system"], "metadata", "tags"), "tag system"),
    ],
    "cell_ids": [
        (put("count", "order", "id"), "'order' occurs twice"),
        *((put("count", bad, "id"), why) for bad, why in [
            ("3f2a9c1e", "must be words"), ("a1b2c3d4", "must be words"), ("cafe12ad", "random number"),
            ("ab", "words"), ("Count", "words"), ("a_count", "words"), ("c-", "words"),
            ("ace01234-1234-5678-9abc-def012345678", "random number"),
        ]),
    ],
    "budgets": [
        (drop("done"), "25 to 60 cells, not 24"),
        (insert(*[new_code_cell("x", id=f"l{i}") for i in range(36)]), "25 to 60 cells, not 61"),
        (insert(*[new_code_cell("x = 1", id=f"line-{i}") for i in range(8)]), "are prose, not 36%"),
        (insert(*[new_markdown_cell("Words.", id=f"line-{i}") for i in range(10)]), "are prose, not 63%"),
        (add("count", "\nx = 1" * 25), "'count': at most 25 lines, not 26"),
        (add("count", "  # " + 70 * "x"), "'count': at most 100 columns, not 1"),
        (lambda n: [add(name, "\nx = 1" * 12)(n) for name in ("count", "order")], "nine code cells in ten"),
        (lambda n: [add(cell.id, "\nx = 1" * 5)(n) for cell in n.code[:9]], "half of the code cells"),
    ],
    "minutes": [
        (edit("title", "minutes", "hours"), "how long the notebook takes"),
        (edit("title", "10", "12"), "promises 12 minutes; counted are 10"),
        (edit("title", "10", "8"), "promises 8 minutes"),
        *((fault, "promises 10 minutes; counted are 1") for fault in (
            add("summary", " word" * 400), add("count", "\nx = 1" * 25), add("what-else", "\n\n**Predict.** And?" * 2),
            put("order", ["slider"], "metadata", "tags"),
            put("order", [new_output("display_data", {"text/html": FIGURE.format("one")})] * 3, "outputs"),
        )),
    ],
    "code": [
        (put("count", " \n", "source"), "is empty"),
        (add("count", "\nget('http://example.com/x')"), "http://example.com/x is outside"),
        (add("count", "\nurl = 'wss://site1.com'"), "wss://site1.com is outside"),
        (add("count", "  # type: ignore"), "type checker"),
        (add("count", "  # noqa: F821"), "linter"),
        (add("count", "\n# NBVAL_RAISES_EXCEPTION"), "use its tag"),
        (add("count", "\nasyncio.get_event_loop()"), "get_running_loop"),
    ],
    "size": [(prints("x" * 1_000_000), "at most 1,000,000 bytes")],
    "freshness": [
        (edit("count", "'tasks'", "'jobs'"), "not those of this code"),
        (put("count", ["system"], "metadata", "tags"), "not those of this code"),
        (drop("order"), "not those of this code"),
        (put("count", None, "execution_count"), "'count' was never executed"),
        (put("count", 99, "execution_count"), "'count' has the number 99"),
    ],
    "outputs": [
        (put("count", {}, "metadata"), "outputs_hidden"),
        (put("order", True, "metadata", "jupyter", "outputs_hidden"), "outputs_hidden"),
        (put("count", [ERROR], "outputs"), "an error as output"),
        (prints("a.py:1: ResourceWarning: unclosed file", "stderr"), "a ResourceWarning"),
        (prints("a.py:1: DeprecationWarning: old", "stderr"), "a DeprecationWarning"),
        (prints("/home/someone/guide\n"), "a path of one machine"),
        (prints("lib/python3.12/asyncio/tasks.py\n"), "a path of one machine"),
        (show(text_plain="C:\\Users\\someone"), "a path of one machine"),
        (show(text_html=f"<p>{sys.prefix}/x</p>"), "a path of one machine"),
    ],
    "images": [
        (show(image_png="AAAA", text_plain="a figure"), "a bare image/png"),
        (show(text_html=FIGURE.format("a picture")), "'a picture' says too little"),
        (show(text_html='<img src="data:image/png;base64,AAAA">'), "'' says too little"),
        (add("goals", "\n\n![logo](../README.md)"), "'logo' says too little"),
        (add("goals", '\n\n<img src="x.png">'), "'' says too little"),
    ],
    "links": [
        (add("goals", " [the next chapter](02_sample.ipynb)"), "leads to no file"),
        (add("goals", " [the readme](../READ.md)"), "leads to no file"),
        (add("goals", " [a file of the machine](/etc/hosts)"), "out of the project"),
        (add("goals", " [a file of the machine](../../x)"), "out of the project"),
        (add("goals", " [a section](#Nowhere)"), "leads to no heading"),
        (add("goals", ' <a href="#Nowhere">a section</a>'), "leads to no heading"),
        (add("goals", "\n\n[section]: #Nowhere"), "leads to no heading"),
        (add("goals", " [a cell](#cell-id=nowhere)"), "leads to no cell"),
        (add("goals", " [a cell elsewhere](02_missing.ipynb#cell-id=count)"), "leads to no file"),
        (add("goals", "\n\n![a picture of nothing at all](nothing.png)"), "leads to no file"),
        (add("goals", " [here](../README.md)"), "does not say where it leads"),
    ],
}  # fmt: skip


def test_every_check_has_its_faults() -> None:
    assert {check.__name__ for check in rules.CHECKS} == FAULTS.keys() | {"name"}


@pytest.mark.parametrize(
    ("check", "fault", "complaint"),
    [(name, fault, complaint) for name, faults in FAULTS.items() for fault, complaint in faults],
)
def test_a_fault_is_named(sample: Notebook, check: str, fault: Callable[[Notebook], None], complaint: str) -> None:
    fault(sample)
    complaints = getattr(rules, check)(sample)
    assert any(complaint in each for each in complaints), complaints


@pytest.mark.parametrize("name", ["1_sample.ipynb", "01_Sample.ipynb", "sample.ipynb", "01_a sample.ipynb"])
def test_a_wrong_file_name_is_named(sample: Notebook, name: str) -> None:
    assert rules.name(Notebook(sample.path.with_name(name), sample.content))


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("01_b", ["00_a.ipynb", "01_b_deeper.ipynb", "02_c.ipynb"]),
        ("01_b_deeper", ["01_b.ipynb", "02_c.ipynb"]),
        ("02_c", ["01_b.ipynb"]),
    ],
)
def test_the_neighbours_are_linked_as_far_as_they_exist(name: str, links: list[str], tmp_path: Path) -> None:
    for each in ("00_a", "01_b", "01_b_deeper", "02_c"):
        notebook_file.write(tmp_path / f"{each}.ipynb", sample_notebook.sample(int(each[:2])))
    path, number = tmp_path / f"{name}.ipynb", int(name[:2])
    assert rules.opening(Notebook(path, sample_notebook.sample(number, links))) == []
    assert rules.opening(Notebook(path, sample_notebook.sample(number, links[1:]))) == [
        f"the first cell links to {links[0]}"
    ]


@pytest.mark.parametrize(("name", "most"), [("05_sample", 75), ("05_sample_deeper", 60), ("06_sample", 60)])
def test_three_applications_may_take_more_cells(name: str, most: int, tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / f"{name}.ipynb", sample_notebook.sample(int(name[:2])))
    insert(*[new_code_cell("x", id=f"line-{i}") for i in range(most - len(notebook.content.cells))])(notebook)
    assert not [each for each in rules.budgets(notebook) if " cells, not " in each]
    insert(new_code_cell("x", id="one-more"))(notebook)
    assert [each for each in rules.budgets(notebook) if f" to {most} cells, not {most + 1}" in each]


@pytest.mark.parametrize(
    ("name", "first", "tag", "complaints"),
    [
        ("05_sample", "x = 1", "system", 0),
        ("06_sample", "x = 1", "system", 1),
        ("05_sample", "class A: pass", "exercise", 0),
        ("06_sample", "class A: pass", "exercise", 1),
        ("08_sample_project", "async def f(): pass", "exercise", 0),
        ("08_sample", "async def f(): pass", "exercise", 1),
        ("08_sample", "x = 1", "card", 0),
    ],
)
def test_what_is_to_be_read_whole_may_take_as_many_lines_as_a_cell(
    name: str, first: str, tag: str, complaints: int, tmp_path: Path
) -> None:
    notebook = Notebook(tmp_path / f"{name}.ipynb", sample_notebook.sample(int(name[:2])))
    source = first + "\nx = 1" * 24
    insert(*[new_code_cell(source, id=f"line-{i}", metadata={"tags": [tag]}) for i in range(4)])(notebook)
    assert len([each for each in rules.budgets(notebook) if "nine code cells in ten" in each]) == complaints


@pytest.mark.parametrize("name", ["00_sample", "02_sample_deeper"])
def test_the_first_notebook_and_what_goes_deeper_need_fewer_parts(name: str, tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / f"{name}.ipynb", sample_notebook.sample(int(name[:2])))
    drop("mistakes", "mistake", "exercises", "exercise", "check", "quiz", "slide", "claims", "claim", "done")(notebook)
    edit("title", "10 minutes", "6 minutes")(notebook)
    sample_notebook.executed(notebook.content)
    assert [complaint for check in rules.CHECKS for complaint in check(notebook)] == []


@pytest.mark.parametrize(
    "allowed",
    [
        add("count", "\nget('http://127.0.0.1:8000'); get('http://localhost/'); get(f'http://{host}/')"),
        add("goals", "\n\n```python\n# not a heading\n[a](b)\n```\n`[a](b)` and `<img src='x'>`"),
        add("goals", " [a heading](#In-what-order?), [one elsewhere](02_sample.ipynb#Summary), [a file](../README.md)"),
        add("goals", " [a cell](#cell-id=count), [one elsewhere](02_sample.ipynb#cell-id=done)"),
        add("goals", " [![A badge that says something](https://example.org/badge.svg)](https://example.org/)"),
        add("goals", ' <a href="https://example.org/">an example</a>'),
        put("count", ["check", "nbval-ignore-output"], "metadata", "tags"),
        show(text_html=FIGURE.format("three tasks that wait side by side"), text_plain="3 tasks"),
        prints("CELL.py:1: RuntimeWarning: coroutine 'f' was never awaited", "stderr"),
        put("count", "wait-0-3-seconds", "id"),
        lambda n: [add("count", "\nasyncio.get_event_loop()")(n), put("count", "guide-limiter", "id")(n)],
        put("count", "decade", "id"),
    ],
)
def test_what_is_allowed(sample: Notebook, allowed: Callable[[Notebook], None]) -> None:
    notebook_file.write(sample.path, sample.content)  # for the link to itself
    allowed(sample)
    fresh = sample_notebook.copy_outputs(sample.content, sample.content)
    assert [complaint for check in rules.CHECKS for complaint in check(Notebook(sample.path, fresh))] == []
