"""What is stored of a notebook: reading it, the one form in which it is committed, writing it whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]

# All metadata that a notebook and a cell may have; whatever else a program leaves there is dropped. It is what
# JupyterLab writes by itself, so that opening and saving a notebook changes nothing. Only the version of Python is
# not kept: .jupyter/jupyter_server_config.py sees to that.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
OWN = "asynclab"  # metadata.asynclab.source_hash
CELL_METADATA = {"tags", "collapsed", "jupyter"}
# A widget's model lives in the kernel that made it: a stored view points at nothing, under a name new in each run.
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def paths(names: list[str] | None = None) -> list[Path]:
    """Return the guide's notebooks in order, or those whose file name begins with one of `names` ("01").

    Raises ValueError if a name fits none.
    """
    every = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not names:
        return every
    chosen = {name: [path for path in every if path.name.startswith(Path(name).name)] for name in names}
    if missing := [name for name, found in chosen.items() if not found]:
        raise ValueError(f"no notebook is called {', '.join(missing)}; there are {', '.join(p.stem for p in every)}")
    return sorted({path for found in chosen.values() for path in found})


def read(path: Path) -> NotebookNode:
    """Return the notebook at `path`. Raises nbformat.ValidationError if it is not one."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_hash(notebook: NotebookNode) -> str:
    """Return a hash of all that decides what running the notebook yields: the code and its tags, in order.

    Prose is not in it: mending a sentence must not cost a run, nor replace measured figures by other ones.
    The bench (`asynclab`) is not in it either: a change there shows as a difference in the strict comparison, and
    `python tests/tools/render.py --force` renews what only looks different.
    """
    code = [[cell.source, sorted(cell.metadata.get("tags", []))] for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def is_fresh(notebook: NotebookNode) -> bool:
    """Return whether the stored outputs are those of the present code."""
    return notebook.metadata.get(OWN, {}).get("source_hash") == source_hash(notebook) and all(
        cell.execution_count is not None for cell in code_cells(notebook)
    )


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Bring `notebook` into the committed form, in place, and return it. The hash of its source stays as it is.

    Doing so twice changes nothing more. Two runs, on different machines and Pythons, leave the same metadata.
    """
    own = notebook.metadata.get(OWN)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    if own:
        notebook.metadata[OWN] = own
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [_without_widget(output) for output in _merged(cell.outputs)]
            if cell.outputs:  # stored for those who look, hidden from those who are to predict them
                cell.metadata.update(nbformat.from_dict({"collapsed": True, "jupyter": {"outputs_hidden": True}}))
    return notebook


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring texts of one stream: how the kernel cut them is an accident of timing.

    Only neighbours, so that a figure stays between the lines that were printed before it and after it.
    """
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _without_widget(output: NotebookNode) -> NotebookNode:
    if "data" in output and len(output.data) > 1:
        output.data.pop(_WIDGET_VIEW, None)
    return output


def text(notebook: NotebookNode) -> str:
    """Return the notebook as the text of its file."""
    return nbformat.writes(notebook, version=4, indent=1, ensure_ascii=False).rstrip("\n") + "\n"


def write(path: Path, notebook: NotebookNode) -> None:
    """Write `notebook` to `path`: whole, or not at all."""
    content = text(notebook)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
