"""What a serving process asked of the kernel, told by strace: what it wrote, what it synced, and when it answered."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.drills.disk import Disk

STRACE = shutil.which("strace")
_CALLS = "pwrite64,ftruncate,unlink,fsync,fdatasync,write,writev,sendto,sendmsg"
# A call, its file, and the rest of the line; strings are written as \x00\x01. A call of one thread that another's
# comes into is told in two lines.
_CALL = re.compile(r"(\d+) +(\w+)\((?:\d+<((?:\\x[0-9a-f]{2})*)>)?(.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_MADE = re.compile(rb"HTTP/1\.1 201 .*\r\nlocation: /consultation-bookings/([^\r]+)\r\n", re.DOTALL)
_END_SECONDS = 20


def command(trace: Path, *traced: str | Path) -> list[str | Path]:
    """What runs this command and tells its calls in that file; it is the command's own process that is started."""
    assert STRACE is not None
    options = ["-D", "-f", "-q", "-y", "-xx", "-s", "100000", "--seccomp-bpf", "-e", f"trace={_CALLS}"]
    return [STRACE, *options, "-o", trace, *traced]


def wait_for_end(trace: Path) -> None:
    """Wait until the whole trace of a process that has ended is written."""
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        with trace.open("rb") as file:
            file.seek(max(0, trace.stat().st_size - 200))
            if re.search(rb"\+\+\+ (exited|killed)[^\n]*\n\Z", file.read()):
                return
        time.sleep(0.05)
    raise TimeoutError


def answers(trace: Path, disk: Disk, folder: Path) -> Iterator[str]:
    """The references of the bookings that were answered 201, in order.

    At each, `disk` is as it was at that moment; at first it has the files of `folder` as the process found them.
    """
    syncing: dict[str, str] = {}
    with trace.open() as lines:
        for line in lines:
            if resumed := _RESUMED.match(line):
                if resumed[1] in syncing and resumed[2] in ("fsync", "fdatasync"):
                    disk.sync(syncing.pop(resumed[1]))
                continue
            if (call := _CALL.match(line)) is None:
                continue
            thread, name, file, rest = call.groups()
            if name in ("write", "writev", "sendto", "sendmsg"):
                if made := _MADE.match(_bytes(rest)):
                    yield made[1].decode()
                continue
            path = Path((_decode(file) if file is not None else _bytes(rest)).decode())
            if path.parent != folder or path.suffix not in (".db", ".db-wal", ".db-journal"):
                continue
            if name in ("fsync", "fdatasync") and "unfinished" in rest:
                syncing[thread] = path.name
            else:
                _apply(disk, name, path.name, rest)


def _apply(disk: Disk, call: str, name: str, rest: str) -> None:
    if call == "pwrite64":
        offset = re.search(r'", \d+, (\d+)', rest)
        assert offset is not None
        disk.write(name, int(offset[1]), _bytes(rest))
    elif call == "ftruncate":
        size = re.search(r", (\d+)", rest)
        assert size is not None
        disk.truncate(name, int(size[1]))
    elif call == "unlink":
        disk.remove(name)
    else:
        disk.sync(name)


def _bytes(rest: str) -> bytes:
    """The first string of a call's arguments."""
    found = _STRING.search(rest)
    return _decode(found[1]) if found else b""


def _decode(said: str) -> bytes:
    return bytes.fromhex(said.replace("\\x", ""))
