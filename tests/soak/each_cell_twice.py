"""Whoever runs a cell a second time, to see it again, can go on. `make render` stores no notebook that fails this."""

import pytest

import notebook_file
import render


@pytest.mark.parametrize("path", notebook_file.paths(), ids=lambda path: path.stem)
def test_each_cell_twice(path):
    render.run_each_cell_twice(path)
