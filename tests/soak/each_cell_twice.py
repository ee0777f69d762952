"""Whoever runs a cell a second time, to see it again, can go on. `make render` stores no notebook that fails this."""

import pytest

import render
import stored


@pytest.mark.parametrize("path", stored.paths(), ids=lambda path: path.stem)
def test_each_cell_twice(path):
    render.run_each_cell_twice(path)
