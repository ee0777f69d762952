"""How many minutes a notebook takes: reading, typing, looking, guessing, trying, counted from what stands in it.

    python tests/notebooks/minutes.py [01 …]    a table of all notebooks, or of those

For a working programmer, alone. The rates are measured ones: see `minutes`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

from nbformat import NotebookNode

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1] / "tools"), str(Path(__file__).parents[2] / "notebooks")]

import notebook_file
from asynclab.exercises import all_exercises

_MARKUP = re.compile(r"<[^>]+>|\]\([^)]*\)|[*#`|\[\]>-]+")


@dataclass(frozen=True)
class Load:
    """What a notebook asks of whoever works through it."""

    cells: int
    words: int  # of prose; those of the exercises count for the exercises
    code: int  # lines that are not empty, without stubs and checks
    pictures: int
    predictions: int
    sliders: int
    exercises: int  # minutes

    @property
    def minutes(self) -> float:
        """180 words or 11 lines of code a minute; 0.8 minutes a picture, 1.2 a prediction, 4 a slider."""
        lesson = self.words / 180 + self.code / 11 + 0.8 * self.pictures + 1.2 * self.predictions + 4 * self.sliders
        return lesson + self.exercises


def load_of(notebook: NotebookNode, stem: str) -> Load:
    """Return what a notebook, called `stem`, asks of its reader; a picture counts where an output stores one."""
    cells = notebook.cells
    exercises = [ex for ex in all_exercises() if ex.folder.parent.name == stem]
    tasks = {ex.folder.name.partition("_")[2].replace("_", "-") for ex in exercises}
    prose = [cell.source for cell in cells if cell.cell_type == "markdown" and cell.id not in tasks]
    code = [cell for cell in cells if cell.cell_type == "code" and not _tags(cell) & {"exercise", "check"}]
    return Load(
        cells=len(cells),
        words=sum(len(_MARKUP.sub(" ", text).split()) for text in prose),
        code=sum(bool(line.strip()) for cell in code for line in cell.source.splitlines()),
        pictures=sum("<img" in output.get("data", {}).get("text/html", "") for cell in code for output in cell.outputs),
        # A guess is announced by the prose before it: the prediction is counted there.
        predictions=sum(len(re.findall(r"\*\*Predict", text)) for text in prose),
        sliders=sum("slider" in _tags(cell) for cell in code),
        exercises=sum(ex.minutes for ex in exercises),
    )


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def main(names: list[str]) -> None:
    """Print a table."""
    print("notebook                            cells  words  code  pictures  predictions  sliders  exercises  minutes")
    for path in notebook_file.paths(names):
        load = load_of(notebook_file.read(path), path.stem)
        columns = zip(astuple(load), (5, 5, 4, 8, 11, 7, 9), strict=True)
        numbers = "  ".join(f"{each:>{width}}" for each, width in columns)
        print(f"{path.stem:34}  {numbers}  {load.minutes:7.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
