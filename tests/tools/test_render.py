"""`make render`: it executes what changed, stores it in one form, and never leaves a notebook half done."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebook_file
import render
import sample_notebook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that stands in for the guide's notebooks."""
    monkeypatch.setattr(notebook_file, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def save(path: Path, *sources: str) -> Path:
    """Write a notebook of these code cells, as another program would."""
    cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title", id="title"), *cells]), path)
    return path


def code(path: Path) -> list[NotebookNode]:
    """Return the code cells stored at `path`."""
    return notebook_file.code_cells(notebook_file.read(path))


def test_a_life(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New, unchanged, prose mended, code changed, forced: what is executed, and what is stored."""
    path = save(
        folder / "01_a.ipynb", "import os\nprint(os.path.basename(os.getcwd()))", "x = 1", "Out", "_oh = 40 + 2\n_oh"
    )

    assert render.main(["--check"]) == 1
    assert "not those of this code" in capsys.readouterr().out
    assert render.main([]) == 0
    assert "executed in" in capsys.readouterr().out
    first, text = path.read_bytes(), path.read_text("utf-8")
    assert [cell.execution_count for cell in code(path)] == [1, 2, 3, 4]
    assert code(path)[0].outputs == [new_output("stream", name="stdout", text="notebooks\n")]
    hidden = {"collapsed": True, "jupyter": {"outputs_hidden": True}}
    assert [cell.metadata for cell in code(path)] == [hidden, {}, hidden, hidden]
    assert notebook_file.read(path).metadata == {
        "kernelspec": notebook_file.KERNELSPEC,
        "language_info": notebook_file.LANGUAGE,
        "asynclab": {"source_hash": notebook_file.source_hash(notebook_file.read(path))},
    }
    assert text.startswith('{\n "cells"') and text.endswith("}\n") and not text.endswith("\n\n")
    assert [each.name for each in folder.iterdir()] == [path.name]

    assert render.main(["--check"]) == 0
    assert render.main([]) == 0
    assert "unchanged" in capsys.readouterr().out
    assert path.read_bytes() == first

    path.write_text(text.replace("# Title", "# Müller’s title"), "utf-8")
    assert render.main(["--check"]) == render.main([]) == 0
    assert "# Müller’s title" in path.read_text("utf-8")

    path.write_text(text.replace('"x = 1"', '"x = 2"'), "utf-8")
    assert render.main(["--check"]) == 1
    capsys.readouterr()
    assert render.main(["--force", "01"]) == 0 == render.main(["--check"])
    assert "executed in" in capsys.readouterr().out


DEEP = """\
def deep(number):
    if number:
        deep(number - 1)
    raise ExceptionGroup("both", [ValueError("first")])
deep(50)"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (DEEP, "cell 'cell-1': …"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "cell 'cell-1': the kernel died"),
        ("import time\ntime.sleep(60)", "cell 'cell-1': still running after 1 seconds"),
        ("y = x / 1\ndel x", "cell 'cell-1', run the second time: NameError: name 'x' is not defined"),
    ],
)
def test_a_failure_names_the_cell_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch, source: str, message: str
) -> None:
    monkeypatch.setattr(render, "CELL_TIMEOUT", 1 if "sleep" in source else 120)
    path = save(folder / "01_a.ipynb", "x = 1", source, "x = 2")
    before = path.read_bytes()
    assert render.main([]) == 1
    error = capsys.readouterr().err
    assert f"01_a.ipynb, {message}" in error
    assert ("ExceptionGroup" in error) == (source is DEEP)
    assert len(error.splitlines()) <= 24
    assert path.read_bytes() == before
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_what_another_program_left_is_tidied_without_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "01_a.ipynb"
    notebook_file.write(path, sample_notebook.executed(sample_notebook.sample()))
    tidy = path.read_bytes()
    notebook = json.loads(tidy)
    notebook["metadata"]["language_info"]["version"] = "3.13.1"
    notebook["metadata"]["kernelspec"]["display_name"] = "Python 3.13"
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    cell = next(each for each in notebook["cells"] if each["id"] == "count")
    cell["metadata"] = {"execution": {"iopub.status.busy": "now"}, "collapsed": False, "scrolled": True}
    cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [part]} for part in ("3 tasks", "\n")]
    path.write_text(json.dumps(notebook))
    assert render.main(["--check"]) == 1
    assert "01_a.ipynb: not in the committed form" in capsys.readouterr().out
    assert render.main([]) == 0
    assert "tidied" in capsys.readouterr().out
    assert path.read_bytes() == tidy


def test_names_choose_notebooks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("01_a", "02_b"):
        save(folder / f"{name}.ipynb", "x = 1")
    assert [path.name for path in notebook_file.paths(["notebooks/02_b.ipynb"])] == ["02_b.ipynb"]
    assert [path.name for path in notebook_file.paths(["02", "01"])] == ["01_a.ipynb", "02_b.ipynb"]
    with pytest.raises(SystemExit):
        render.main(["03"])
    assert "there are 01_a, 02_b" in capsys.readouterr().err


def test_no_notebook_at_all(folder: Path) -> None:
    assert render.main([]) == render.main(["--check"]) == 0


def test_neighbouring_texts_are_joined_and_stay_where_they_are() -> None:
    parts = [("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stderr", "d"), ("stdout", "e")]
    outputs = [new_output("stream", name=name, text=text) for name, text in parts]
    outputs.insert(2, new_output("display_data", {"text/plain": "picture"}))
    cell = new_code_cell("", id="cell", outputs=outputs)
    merged = notebook_file.tidy(new_notebook(cells=[cell])).cells[0].outputs
    assert [output.get("text") for output in merged] == ["ab\n", None, "cd", "e"]


def test_a_view_of_a_widget_that_is_gone_is_dropped() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "random"}, "text/plain": "IntSlider()"}
    cell = new_code_cell("", id="cell", outputs=[new_output("display_data", view)])
    assert notebook_file.tidy(new_notebook(cells=[cell])).cells[0].outputs[0].data == {"text/plain": "IntSlider()"}


def test_what_the_hash_covers() -> None:
    def notebook(source: str = "x = 1", tags: tuple[str, ...] = (), prose: str = "text") -> NotebookNode:
        cell = new_code_cell(source, id="code", metadata={"tags": list(tags)})
        return new_notebook(cells=[new_markdown_cell(prose, id="prose"), cell])

    same = [notebook(), notebook(prose="other"), notebook()]
    same[2].cells[1].outputs = [new_output("stream", text="1")]
    assert len({notebook_file.source_hash(each) for each in same}) == 1
    different = [notebook(), notebook("x = 2"), notebook(tags=("system",)), notebook(tags=("system", "check"))]
    different.append(new_notebook(cells=[*notebook().cells, new_code_cell("", id="more")]))
    assert len({notebook_file.source_hash(each) for each in different}) == len(different)
    swapped = notebook(tags=("check", "system"))
    assert notebook_file.source_hash(swapped) == notebook_file.source_hash(different[3])


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.ipynb", "x = 1")
    path.chmod(0o640)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(notebook_file.os, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            notebook_file.write(path, notebook_file.read(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    notebook_file.write(path, notebook_file.read(path))
    assert path.stat().st_mode & 0o777 == 0o640
