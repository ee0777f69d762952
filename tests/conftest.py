"""What holds for every test: a heap of which only the new part is searched, and a learner's folder that is nobody's."""

from __future__ import annotations

import gc
import itertools
from collections import Counter

import pytest

_numbers = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no worker is left alone with one: the notebooks, then by number of tests."""
    count = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.suffix != ".ipynb", -count[item.path]))


def pytest_collection_finish() -> None:
    """Set aside what was imported: half a million objects, which no search for garbage has to look at again."""
    gc.collect()
    gc.freeze()
    gc.unfreeze = lambda: None  # a measurement takes back what it set aside itself, and would take this back, too


@pytest.fixture(autouse=True)
def nobodys_progress(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a learner has reached is neither read nor written: a test's progress is kept in a folder of its own."""
    folder = tmp_path_factory.getbasetemp() / f"learner-{next(_numbers)}"
    monkeypatch.setenv("ASYNCIO_GUIDE_DATA", str(folder))
