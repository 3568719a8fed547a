"""`requirements.lock`, which the image installs, says the same as `pyproject.toml`.

Make it anew with
`uv pip compile --upgrade --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock`.
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
LINE = re.compile(r"[a-z0-9-]+==[^ /@]+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")


def locked() -> dict[str, Requirement]:
    """Every package that the lock holds for this platform; some have one line for each range of Pythons."""
    lines = (Requirement(line.removesuffix("\\")) for line in LOCK.splitlines() if not line.startswith(" "))
    return {canonicalize_name(line.name): line for line in lines if line.marker is None or line.marker.evaluate()}


def declared() -> list[Requirement]:
    """Return what `pyproject.toml` asks for on this platform."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wishes = (Requirement(line) for line in project["dependencies"])
    return [wish for wish in wishes if wish.marker is None or wish.marker.evaluate()]


def needed(wishes: list[Requirement]) -> set[str]:
    """Follow the wishes through what is installed: they, what they need, and so on."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while wishes:
        wish = wishes.pop()
        name = canonicalize_name(wish.name)
        found.add(name)
        for extra in {"", *wish.extras} - {known for owner, known in seen if owner == name}:
            seen.add((name, extra))
            further = (Requirement(line) for line in requires(name) or [])
            wishes += [each for each in further if each.marker is None or each.marker.evaluate({"extra": extra})]
    return found


def test_every_declared_dependency_is_locked_at_a_version_it_allows() -> None:
    pins = {name: next(iter(line.specifier)).version for name, line in locked().items()}
    assert {
        str(wish): pins.get(canonicalize_name(wish.name))
        for wish in declared()
        if not wish.specifier.contains(Version(pins.get(canonicalize_name(wish.name), "0")))
    } == {}


def test_the_lock_holds_what_the_app_needs_and_nothing_else() -> None:
    # The image installs it without resolving, so a forgotten package would be missing there and only there.
    assert set(locked()) == needed(declared())


def test_the_tests_run_on_the_locked_versions() -> None:
    differing = {}
    for name, line in locked().items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        if installed not in line.specifier:
            differing[str(line)] = installed
    assert differing == {}


def test_every_locked_package_has_a_hash() -> None:
    packages = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)[1:]
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []


def test_the_lock_names_no_address_and_no_index() -> None:
    assert [line for line in LOCK.splitlines() if not LINE.fullmatch(line)] == []
