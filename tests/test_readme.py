"""What the README says is so: its commands, settings, paths, and the five lines as a newcomer pastes them."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from app.access.callers import Scope
from app.cli import main
from app.core.settings import PREFIX, Settings
from tests.processes import environment_of, serving

HOUSE = Path(__file__).parents[1]
README = (HOUSE / "README.md").read_text()
BLOCKS = re.findall(r"```(?:sh)?\n(.*?)```", README, re.DOTALL)
COMMANDS = ("pip install uv && uv run carepath serve", "pip install uv && uv run pytest")
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))


def test_the_two_commands_come_first_and_stand_alone() -> None:
    start = README.split("## Start here\n")[1].split("\n## ")[0]
    assert [block.strip() for block in re.findall(r"```sh\n(.*?)```", start, re.DOTALL)] == list(COMMANDS)
    for command in COMMANDS:
        begin = README.index(command)
        assert README.index(command.removeprefix("pip install uv && ")) == begin + len("pip install uv && ")


def test_every_setting_is_described_and_no_other() -> None:
    described = set(re.findall(r"^\| `(CAREPATH_\w+)` \|", README, re.MULTILINE))
    assert described == {PREFIX + name.upper() for name in Settings.model_fields}
    mentioned = set(re.findall(r"\bCAREPATH_\w+", README))
    assert mentioned <= described


def test_the_described_defaults_are_the_real_ones() -> None:
    for name, default in re.findall(r"^\| `(CAREPATH_\w+)` \| `([^`]+)` \|", README, re.MULTILINE):
        field = Settings.model_fields[name.removeprefix(PREFIX).lower()]
        real = {"True": "on", "False": "off"}.get(str(field.default), str(field.default))
        assert default == real


def test_every_command_is_described_and_no_other() -> None:
    described = set(re.findall(r"^\| `carepath ([a-z ]+)` \|", README, re.MULTILINE))
    real = {
        f"{name} {part}" if part else name
        for name, command in main.commands.items()
        for part in (getattr(command, "commands", None) or [""])
    }
    assert described == real


def test_scopes_that_the_command_offers_are_the_real_ones() -> None:
    (scopes,) = [option for option in main.commands["keys"].commands["create"].params if option.name == "scopes"]  # type: ignore[attr-defined]
    assert set(scopes.type.choices) == set(Scope)


def test_every_path_that_it_names_exists() -> None:
    (house,) = [block for block in BLOCKS if block.startswith("app/\n")]
    below_app = re.findall(r"^[├└]── (.+?)\s{2,}", house, re.MULTILINE)
    named = [f"app/{name}" for entry in below_app for name in entry.split(", ")]
    named += re.findall(r"^(\w+/)", house, re.MULTILINE)
    named += [code for code in CODE if re.fullmatch(r"[\w.-]+/[\w./-]*|\w[\w./-]*\.(?:py|json|md)", code)]
    missing = [name for name in named if not (HOUSE / name).exists() and not (HOUSE / "app" / name).exists()]
    # The key ring's place is made by `serve`, in the folder that it is started from.
    assert [name for name in missing if name != ".carepath/keyring"] == []
    packages = {path.parent.name for path in (HOUSE / "app").glob("*/__init__.py")}
    assert packages <= {Path(name).name for name in named}


def paste(lines: str, address: str, settings: Settings, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run these lines as a newcomer would, who has a server here."""
    # `uv run` finds the command of the checkout that it is called in; here, that of the tests' environment.
    (folder / "uv").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (folder / "uv").chmod(0o755)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines.replace("http://127.0.0.1:8000", address)],
        env=environment_of(settings) | {"PATH": f"{folder}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def section(title: str) -> list[str]:
    """The blocks of a section that are to be pasted."""
    return re.findall(r"```sh\n(.*?)```", README.split(f"## {title}\n")[1].split("\n## ")[0], re.DOTALL)


def test_the_five_lines_work_as_pasted(settings: Settings, tmp_path: Path) -> None:
    (lines,) = section("Five lines")
    with serving(settings, tmp_path) as served:
        done = paste(lines, served.address, settings, tmp_path)
        free = httpx.get(f"{served.address}/consultation-slots", trust_env=False).json()["items"]
    assert '"name":"Acute Lymphoblastic Leukemia"' in done.stdout
    assert '"state":"booked"' in done.stderr
    assert done.stdout.rstrip().endswith("}")
    assert '"state":"cancelled"' in done.stdout
    assert [slot["seats_free"] for slot in free] == [1]


def test_the_tours_can_be_pasted_one_after_the_other() -> None:
    names = re.findall(r"keys create --name (\S+)", README)
    assert len(set(names)) == len(names) > 1


def test_an_admins_week_works_as_pasted(settings: Settings, tmp_path: Path) -> None:
    week, found = section("An admin's week")
    with serving(settings, tmp_path) as served:
        # In one terminal: what the first lines name, the others use.
        done = paste(week + found, served.address, settings, tmp_path)
    for state in ("excluded_by_holiday", "to_post", "excluded_by_absence"):
        assert f'"state":"{state}"' in done.stdout
    assert '"becomes":"closed"' in done.stderr
    assert done.stdout.count('"outcome":"created"') == 2 * 2
    assert "BEGIN:VCALENDAR" in done.stdout
    assert '"slot":{' in done.stdout
    assert "dr-rivera," in done.stdout


def test_an_editors_day_works_as_pasted(settings: Settings, tmp_path: Path) -> None:
    day, kept_in_step = section("An editor's day")
    with serving(settings, tmp_path) as served:
        done = paste(day, served.address, settings, tmp_path)
        page = httpx.get(f"{served.address}/conditions/acute-lymphoblastic-leukemia", trust_env=False).json()
        after = paste(kept_in_step, served.address, settings, tmp_path)
    assert (page["revision"], page["alternate_names"]) == (2, ["ALL", "Acute Lymphocytic Leukemia"])
    for state in ("draft", "submitted", "approved", "scheduled"):
        assert f'"state":"{state}"' in done.stdout
    assert '"publish_at":"2030-01-01T08:00:00Z"' in done.stdout
    assert '"pointer":"/alternate_names/1"' in done.stdout
    found, asked, described, changed, *told = after.stdout.splitlines()
    assert '"slug":"acute-lymphoblastic-leukemia"' in found
    assert "/conditions/acute-lymphoblastic-leukemia" in asked
    assert '"@type":"MedicalWebPage"' in described
    assert '"items":[]' in changed
    assert told
