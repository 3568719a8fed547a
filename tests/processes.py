"""The installed `carepath` script as processes of their own, as a person or a supervisor starts it."""

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.core.settings import Settings

SCRIPT = Path(sys.executable).with_name("carepath")
START_SECONDS = 30
END_SECONDS = 20

_ADDRESS = re.compile(r"(https?://\S+)/conditions/")


@dataclass(frozen=True)
class Served:
    """A server that is ready. Ask it with `httpx.Client(base_url=served.address, trust_env=False)`."""

    address: str
    # What a person reads when it has started.
    told: str
    process: subprocess.Popen[str]
    # Its standard error.
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """What it has logged until now; a line that is no JSON object is an error."""
        return [dict(json.loads(line)) for line in self.log.read_text().splitlines()]


def environment_of(settings: Settings) -> dict[str, str]:
    """These settings as environment variables, with nothing else of the environment but a PATH."""
    variables = {"PATH": os.defpath}
    for name, value in settings.model_dump(mode="json", exclude_unset=True).items():
        text = ",".join(value) if isinstance(value, list | tuple) else str(value)
        variables[f"CAREPATH_{name.upper()}"] = text
    return variables


def run(
    *arguments: str, folder: Path, environment: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `environment` is all that it gets."""
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def serving(
    settings: Settings,
    folder: Path,
    *,
    environment: Mapping[str, str] = {},
    command: Sequence[str | Path] = (SCRIPT,),
    is_open: bool = True,
) -> Iterator[Served]:
    """Serve from this folder on a free port, wait until it listens, and end it by SIGTERM.

    `is_open` waits until all of its doors are open too; `command` is what takes the place of `carepath`, for a drill
    that serves with something broken.
    """
    log = folder / f"carepath-{secrets.token_hex(4)}.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*command, "serve", "--port", "0"],
            cwd=folder,
            env=environment_of(settings) | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # Ctrl-C reaches the tests, and they end the server.
            start_new_session=True,
        ) as process,
    ):
        try:
            told = _told(process)
            address = _ADDRESS.search(told)
            if address is None:
                message = f"carepath serve did not start:\n{told}{log.read_text()[-4000:]}"
                raise RuntimeError(message)
            if is_open:
                httpx.get(f"{address[1]}/health/live", timeout=START_SECONDS, trust_env=False).raise_for_status()
            yield Served(address[1], told, process, log)
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _told(process: subprocess.Popen[str]) -> str:
    """What it prints, up to the command that makes a key; less when it ends before, or does not start in time."""
    told = ""
    killer = threading.Timer(START_SECONDS, process.kill)
    killer.start()
    try:
        for line in process.stdout or ():
            told += line
            if "keys create" in line:
                break
    finally:
        killer.cancel()
    return told
