"""A disk as a power cut leaves it: what was synced is there, of the rest some sectors are and some are not."""

import threading
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

SECTOR = 512


@dataclass
class File:
    """One file: as programs see it, as it surely is on the disk, and what lies between the two."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytearray = field(default_factory=bytearray)
    # In order: bytes and where they were written, or the size that the file was cut to.
    waiting: list[tuple[int, bytes] | int] = field(default_factory=list)


class Disk:
    """Files by name. Several threads may use it at once."""

    def __init__(self, *paths: Path) -> None:
        self.files: dict[str, File] = {}
        self._lock = threading.Lock()
        for path in paths:
            content = path.read_bytes()
            self.files[path.name] = File(bytearray(content), bytearray(content))

    def read(self, name: str, offset: int, size: int) -> bytes:
        """What a program reads; less at the end of the file."""
        return bytes(self.files[name].seen[offset : offset + size])

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write, which is not yet on the disk."""
        with self._lock:
            file = self.files.setdefault(name, File())
            _apply(file.seen, (offset, data))
            file.waiting.append((offset, data))

    def truncate(self, name: str, size: int) -> None:
        """Cut the file, which is not yet so on the disk."""
        with self._lock:
            file = self.files.setdefault(name, File())
            _apply(file.seen, size)
            file.waiting.append(size)

    def sync(self, name: str) -> None:
        """Bring to the disk what was written to this file."""
        with self._lock:
            file = self.files.setdefault(name, File())
            for change in file.waiting:
                _apply(file.safe, change)
            file.waiting.clear()

    def remove(self, name: str) -> None:
        """Remove the file; SQLite does so only with what it has no more need of."""
        with self._lock:
            self.files.pop(name, None)

    def cut(self, folder: Path, luck: Random | None) -> None:
        """Leave in this folder what a power cut at this moment would; without luck, nothing that was not synced.

        Half of what waits survives, or nearly all, or nothing; in parts of a sector, so that pages are torn.
        """
        with self._lock:
            for name, file in self.files.items():
                left, chance = bytearray(file.safe), luck.choice((0.0, 0.5, 0.95)) if luck else 0.0
                parts = (part for change in file.waiting for part in _parts(change)) if chance else ()
                for part in parts:
                    if luck and luck.random() < chance:
                        _apply(left, part)
                (folder / name).write_bytes(left)


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    offset = change if isinstance(change, int) else change[0]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if isinstance(change, int):
        del content[offset:]
    else:
        content[offset : offset + len(change[1])] = change[1]


def _parts(change: tuple[int, bytes] | int) -> list[tuple[int, bytes] | int]:
    """A write by the sectors that it touches; what else is in a sector stays as it was."""
    if isinstance(change, int):
        return [change]
    offset, data = change
    bounds = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    return [(offset + start, data[start:end]) for start, end in pairwise(bounds)]
