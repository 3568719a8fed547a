"""What a power cut leaves of a SQLite file, held against what was promised before it."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

from app.doctor import read_invariants
from tests.drills.clients import Promises
from tests.drills.disk import Disk

# Of the disk. A booking is several dozens.
MOST_CHANGES_BETWEEN_CUTS = 300
HEADING = """| run | cuts | acknowledged bookings | lost | damaged files | broken invariants |
| --- | --- | --- | --- | --- | --- |"""


@dataclass
class Figures:
    """What the cuts did: all but the first two are to be nothing."""

    cuts: int = 0
    acknowledged: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    damaged: int = 0
    broken: set[str] = field(default_factory=set)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, damaged or broken."""
        return not (self.lost or self.damaged or self.broken)

    def row(self, title: str) -> str:
        """The row of a table."""
        figures = (self.cuts, len(self.acknowledged), len(self.lost), self.damaged, "; ".join(self.broken) or "none")
        return f"| {title} | {' | '.join(map(str, figures))} |"


class Cuts:
    """Cuts the power of one disk at random moments, again and again."""

    def __init__(self, disk: Disk, promises: Promises, figures: Figures, chance: Random) -> None:
        self.disk, self.promises, self.figures, self.chance = disk, promises, figures, chance
        # What the last cut left, and what was promised before it.
        self.left, self.promised = disk, promises
        self._changes_left = 0

    def count(self) -> None:
        """Note one change of a file; some changes are the last before a cut."""
        self._changes_left -= 1
        if self._changes_left < 0:
            self._changes_left = self.chance.randrange(MOST_CHANGES_BETWEEN_CUTS)
            self.cut()

    def cut(self) -> None:
        """Look at what is left if the power fails now."""
        # The order matters: what is promised from here on was not promised before the cut.
        self.promised = self.promises.copy()
        with tempfile.TemporaryDirectory(prefix="carepath-cut-") as folder:
            self.disk.cut(Path(folder), self.chance)
            self.left = Disk(*Path(folder).iterdir())
            self.figures.cuts += 1
            self.figures.acknowledged |= self.promised.states.keys()
            (database,) = Path(folder).glob("*.db")
            self._examine(database)

    def _examine(self, path: Path) -> None:
        try:
            found, broken = examine(path)
        except apsw.Error:
            self.figures.damaged += 1
            return
        self.figures.broken |= broken
        for reference in self.promised.missing(found):
            self.figures.lost.add(reference)
            del self.promised.states[reference]


def examine(path: Path) -> tuple[dict[str, str], set[str]]:
    """The states of all bookings by reference, and the broken invariants; raises apsw.Error for a damaged file."""
    connection = apsw.Connection(str(path))
    try:
        if connection.pragma("integrity_check") != "ok":
            raise apsw.CorruptError
        rows = connection.execute("SELECT reference, state FROM consultation_bookings")
        found = {str(reference): str(state) for reference, state in rows}
        broken = {name for name, query in read_invariants().items() if connection.execute(query).fetchall()}
        if connection.execute("PRAGMA foreign_key_check").fetchall():
            broken.add("foreign keys")
        return found, broken
    finally:
        connection.close()
