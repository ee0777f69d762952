"""What Jupyter does with the guide's notebooks, as the folder .jupyter sets it up."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict
from jupyter_server.services.contents.manager import AsyncContentsManager
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_notebook
from traitlets.config import PyFileConfigLoader

import notebook_file


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[AsyncContentsManager]:
    """What the server reads and writes files with, in an empty folder, with a list of its own of trusted notebooks."""
    config = PyFileConfigLoader("jupyter_server_config.py", path=str(notebook_file.ROOT / ".jupyter")).load_config()
    notary = NotebookNotary(data_dir=str(tmp_path), db_file=":memory:")
    yield config.ServerApp.contents_manager_class(root_dir=str(tmp_path), notary=notary)
    notary.store.close()


@pytest.mark.parametrize("path", notebook_file.paths(), ids=lambda path: path.stem)
def test_opening_changes_nothing_and_saving_neither(path: Path, contents: AsyncContentsManager) -> None:
    copy = Path(shutil.copy(path, contents.root_dir))
    model = asyncio.run(contents.get(copy.name))
    # JupyterLab writes both into the notebook that it opens, which then counts as changed if it was not so before.
    assert model["content"]["metadata"]["language_info"] == IPythonKernel.language_info
    assert model["content"]["metadata"]["kernelspec"].items() <= {**get_kernel_dict(), "name": "python3"}.items()
    asyncio.run(contents.save(model, copy.name))
    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("a.txt", {"type": "file", "format": "text", "content": "text"}),
        ("folder", {"type": "directory"}),
        ("new.ipynb", {"type": "notebook", "content": new_notebook()}),
    ],
)
def test_other_files_are_served_as_ever(name: str, model: dict, contents: AsyncContentsManager) -> None:
    asyncio.run(contents.save(dict(model), name))
    assert asyncio.run(contents.get(name)).items() >= model.items()
