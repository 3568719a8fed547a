"""Loads one server, with `wrk` where it is installed, and looks at what it costs that server."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench import load, servers

CLIENTS = 32
NUMBER = "%(number)012d"
_COUNTS = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", string.format("PATH", number))
end
"""


@dataclass(frozen=True)
class Sample:
    """What one load measured."""

    per_second: float
    p99_ms: float
    # Processor time that the server took for one request, in microseconds.
    cpu: float


def measure(port: int, path: str, headers: dict[str, str], seconds: int, pid: int) -> Sample:
    """Load one server; the first answer is not counted, it may come from the database.

    Where `%(number)012d` stands in the path, each request has a number of its own.
    """
    is_keyed = NUMBER in path
    asked = httpx.get(f"http://127.0.0.1:{port}{path.replace(NUMBER, '0' * 12)}", headers=headers, trust_env=False)
    cpu = cpu_seconds(pid)
    if shutil.which("wrk") is None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()
        found = load.run_load(load.Load(port, (request,), is_keyed, asked.status_code, CLIENTS, seconds))
        count = found.requests_per_second * (seconds + load.WARM_UP_SECONDS)
        return Sample(found.requests_per_second, found.p99_ms, (cpu_seconds(pid) - cpu) / count * 1e6)
    said = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", *said, f"http://127.0.0.1:{port}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_COUNTS.replace("PATH", path.replace(NUMBER, "%012d")) if is_keyed else "")
        script.flush()
        command[-1:] = ["-s", script.name, command[-1]] if is_keyed else [command[-1] + path]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, per_second = (float(re.search(p, told)[1]) for p in (r"(\d+) requests in", r"Requests/sec:\s+([\d.]+)"))  # type: ignore[index]
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    assert p99 is not None
    milliseconds = float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
    return Sample(per_second, milliseconds, (cpu_seconds(pid) - cpu) / count * 1e6)


def pid_at(port: int) -> int:
    """The process that listens there."""
    inodes = [
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if f":{port:04X} 00000000:0000" in line
    ]
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if inodes and str(link.readlink()) == f"socket:[{inodes[0]}]":
                return int(link.parts[2])
        except OSError:
            continue
    raise servers.ServerFailed(f"nobody listens at {port}")


def cpu_seconds(pid: int) -> float:
    """What a process has taken of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
