"""What of requirements.txt is installed under the Python that runs this file, and how much room it takes.

python tests/binder/packages.py    # a table, the largest first; exit code 1 if a version is not the locked one
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).resolve().parents[2] / "requirements.txt"
MEGABYTE = 1_000_000


def locked(lock: Path = LOCK) -> list[Requirement]:
    """Return the lines of the lock that hold for this Python and this system."""
    lines = map(Requirement, lock.read_text("utf-8").splitlines())
    return [line for line in lines if line.marker is None or line.marker.evaluate()]


def size(package: Distribution) -> float:
    """Return how many megabytes the files of a package take, its compiled ones included."""
    paths = {Path(package.locate_file(file)) for file in package.files or ()}
    return sum(path.stat().st_size for path in paths if path.is_file()) / MEGABYTE


def main() -> int:
    """Print the table."""
    rows, faults = [], []
    for line in locked():
        try:
            package = distribution(line.name)
        except PackageNotFoundError:
            faults.append(f"{line.name} is not installed")
            continue
        if not line.specifier.contains(package.version):
            faults.append(f"{line.name} is {package.version}, locked is {line.specifier}")
        rows.append((size(package), f"{line.name} {package.version}"))
    print("| MB | package |\n|---|---|")
    for megabytes, name in sorted(rows, reverse=True):
        print(f"| {megabytes:.1f} | {name} |")
    print(f"| {sum(megabytes for megabytes, _ in rows):.0f} | all {len(rows)} |")
    print(*faults, sep="\n", file=sys.stderr, end="\n" if faults else "")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
