"""SQLite on a `Disk`: a VFS for apsw. Locks and shared memory, which no power cut survives, are the real ones."""

from collections.abc import Callable
from pathlib import Path

import apsw

from tests.drills.disk import Disk

NAME = "carepath-power-cut"
_KEPT = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class PowerCutVFS(apsw.VFS):
    """The files of SQLite on this disk. `on_change` is called after every write and before and after every sync."""

    def __init__(self, disk: Disk, on_change: Callable[[], None]) -> None:
        super().__init__(NAME, "")
        self.disk = disk
        self.on_change = on_change

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file; only what lies beside the database outlives the process."""
        if flags[0] & _KEPT and name is not None:
            return _File(self, name, flags)
        return apsw.VFSFile("", name, flags)

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802 - SQLite's name
        """Whether there is such a file, with something in it."""
        file = self.disk.files.get(Path(pathname).name)
        return bool(file and file.seen) if flags == apsw.SQLITE_ACCESS_EXISTS else super().xAccess(pathname, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        """Remove a file."""
        self.disk.remove(Path(filename).name)
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, vfs: PowerCutVFS, name: apsw.URIFilename | str, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.vfs, self.name = vfs, Path(name if isinstance(name, str) else name.filename()).name

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        return self.vfs.disk.read(self.name, offset, amount) if self.name in self.vfs.disk.files else b""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self.vfs.disk.write(self.name, offset, bytes(data))
        self.vfs.on_change()

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self.vfs.disk.truncate(self.name, newsize)
        self.vfs.on_change()

    def xSync(self, _flags: int) -> None:  # noqa: N802 - SQLite's name
        self.vfs.on_change()
        self.vfs.disk.sync(self.name)
        self.vfs.on_change()

    def xFileSize(self) -> int:  # noqa: N802 - SQLite's name
        file = self.vfs.disk.files.get(self.name)
        return len(file.seen) if file else 0

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 - SQLite's name
        # What SQLite believes of every disk, and `Disk` keeps: bytes beside those that are written stay as they were.
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xSectorSize(self) -> int:  # noqa: N802 - SQLite's name
        return 4096
