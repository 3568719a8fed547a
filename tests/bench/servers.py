"""Starts the servers under test, each as one process of its own, and looks at what they cost."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

START_PATIENCE_SECONDS = 60.0
STOP_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Contender:
    """A server under test: how it is started, and the path that tells that it is ready."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    port: int
    ready_path: str


@dataclass(frozen=True)
class Server:
    """A started contender and the seconds from its start to its first 200."""

    process: subprocess.Popen[bytes]
    start_seconds: float


class ServerFailed(click.ClickException):
    """A server did not start or ended early; the message carries the end of its log."""


def free_port() -> int:
    """Find a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def clean_environment(extra: dict[str, str]) -> dict[str, str]:
    """Take this process's environment without settings of Carepath that its caller happens to have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAREPATH_")} | extra


@contextmanager
def running(contender: Contender) -> Iterator[Server]:
    """Start a server, wait until it is ready, and end it with its context."""
    log = contender.folder / f"{contender.name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        started_at = time.perf_counter()
        process = subprocess.Popen(
            contender.command, cwd=contender.folder, env=contender.environment, stdout=output, stderr=output
        )
        try:
            wait_until_ready(contender, process, log)
            yield Server(process, time.perf_counter() - started_at)
        finally:
            process.terminate()
            try:
                process.wait(STOP_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(contender: Contender, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until the first 200; a refused connection is the normal answer of a server that is not up yet."""
    give_up_at = time.perf_counter() + START_PATIENCE_SECONDS
    while time.perf_counter() < give_up_at and process.poll() is None:
        try:
            status, _ = fetch(contender.port, "GET", contender.ready_path)
        except OSError:
            status = 0
        if status == http.client.OK:
            return
        time.sleep(0.005)
    message = f"{contender.name} did not start:\n{log.read_text(errors='replace')[-2000:]}"
    raise ServerFailed(message)


def fetch(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Send one request on a connection of its own and answer status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def resident_megabytes(server: Server) -> float:
    """Add up the resident memory of a server's process and of the processes it started."""
    return sum(resident_kilobytes(pid) for pid in family(server.process.pid)) / 1024


def family(pid: int) -> list[int]:
    """List a process and all its descendants."""
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(descendant for child in children for descendant in family(child))]


def resident_kilobytes(pid: int) -> int:
    """Read VmRSS, in kilobytes, as the kernel counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
