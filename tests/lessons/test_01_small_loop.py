"""What notebook 01 (deeper) says of its own small loop: how long it is, what it runs, when, and in which order."""

from __future__ import annotations

import time
from types import ModuleType

import pytest

import notebook_file
from asynclab.taught import taught

DEEPER = "01_basic_async_await_deeper"


@pytest.fixture
def small() -> ModuleType:
    return taught(DEEPER)


def test_it_has_the_promised_25_lines_besides_imports():
    cells = notebook_file.read(notebook_file.ROOT / "notebooks" / f"{DEEPER}.ipynb").cells
    source = "\n".join(cell.source for cell in cells if "system" in cell.metadata.get("tags", ()))
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) == 25
    assert "asyncio" not in source


def test_the_earliest_timer_goes_first_and_waits_overlap(small: ModuleType):
    ended = []

    async def cook(dish: str, *waits: float) -> None:
        for seconds in waits:
            await small.sleep(seconds)
        ended.append(dish)

    small.ready.extend([cook("pasta", 0.3), cook("sauce", 0.1), cook("pie", 0.1, 0.1), cook("water")])
    began = time.perf_counter()
    small.run()
    assert time.perf_counter() - began >= 0.3
    assert [dish for dish in ended if dish != "pie"] == ["water", "sauce", "pasta"]
    assert ended.count("pie") == 1
    assert not small.ready and not small.timers


def test_equal_times_are_no_trouble(small: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(small.time, "perf_counter", lambda: 0.0)
    ended = []

    async def cook(dish: int) -> None:
        await small.sleep(0)
        ended.append(dish)

    small.ready.extend(map(cook, range(50)))
    small.run()
    assert sorted(ended) == list(range(50))
