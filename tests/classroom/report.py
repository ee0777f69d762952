"""What a rehearsal found, as a page of Markdown that the terminal shows as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from memory import Peaks
from student import Failure, Student


@dataclass(frozen=True)
class Rehearsal:
    """A class that has ended."""

    versions: dict[str, str]
    cores: int
    students: list[Student]
    start_seconds: float  # until the last server was up
    run_seconds: float  # until the last cell had run
    peaks: Peaks
    left: list[str]  # processes that their server did not end

    @property
    def failures(self) -> list[Failure]:
        """What went wrong, of all students."""
        return [failure for student in self.students for failure in student.failures]

    @property
    def faults(self) -> int:
        """How many failures there are; a process that was left is one."""
        return len(self.failures) + len(self.left)

    def text(self) -> str:
        """Return the whole report."""
        count = len(self.students)
        title = f"# A class of {count}: {self.faults} failure{'s' * (self.faults != 1)}"
        setting = f"{', '.join(f'{name} {version}' for name, version in self.versions.items())}; {self.cores} cores."
        return "\n".join([title, "", setting, "", *self._measured(), "", *self._found()]).rstrip() + "\n"

    def _measured(self) -> Iterator[str]:
        yield from ("| Measured | median | worst |", "| :-- | --: | --: |")
        starts = [student.start_seconds for student in self.students if student.is_up]
        yield _row("a student's server is up [s]", starts)
        for notebook in sorted({name for student in self.students for name in student.seconds}):
            times = [student.seconds[notebook] for student in self.students if notebook in student.seconds]
            yield _row(f"{notebook} [s]", times)
        yield _row("a student's server alone [MB]", self.peaks.servers.values())
        yield _row("a student's server, kernel and demos [MB]", self.peaks.students.values())
        yield ""
        refusals = sum(student.refusals for student in self.students)
        yield f'- All servers were up after {self.start_seconds:.0f} s; {refusals} times the hub said "try later".'
        yield f"- All notebooks had run {self.run_seconds:.0f} s later: {sum(s.cells for s in self.students)} cells."
        yield f"- Hub, proxy and all students together took {self.peaks.total:.0f} MB at the peak."

    def _found(self) -> Iterator[str]:
        alike: dict[tuple[str, int, str], list[Failure]] = defaultdict(list)
        for failure in self.failures:
            alike[failure.where, failure.cell, failure.problem.partition(":")[0]].append(failure)
        for (where, cell, kind), failures in sorted(alike.items()):
            names = ", ".join(dict.fromkeys(failure.student for failure in failures))
            yield from (f"## {where}, code cell {cell}: {kind}", "")
            yield from (f"Met {len(failures)} times, by {names}. The first:", "")
            yield from ("```text", failures[0].traceback or failures[0].problem, "```", "")
        if self.left:
            yield from ("## Processes that outlived their server", "", *(f"- {each}" for each in self.left))


def _row(what: str, values: Iterable[float]) -> str:
    known = list(values)
    return f"| {what} | {median(known):.0f} | {max(known):.0f} |" if known else f"| {what} | | |"
