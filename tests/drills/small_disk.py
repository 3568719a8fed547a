"""A file system of a few megabytes, and how to leave no room on it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEGABYTES = 8


class NoSmallDisk(Exception):
    """Only root may mount a small file system, and not everywhere."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes in this folder; raises NoSmallDisk."""
    if os.geteuid() != 0 or (mount := shutil.which("mount")) is None:
        raise NoSmallDisk
    place = folder / "small"
    place.mkdir()
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "carepath-drill", place], capture_output=True, check=False
    )
    if made.returncode:
        raise NoSmallDisk
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(ballast: Path) -> None:
    """Leave no room on this file's disk."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(65536)):
            pass
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(b" "):
            pass
