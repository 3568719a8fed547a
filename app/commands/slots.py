"""`carepath slots ...`: posted slots as files, and back."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any

import click

from app.commands.running import or_stop, read_settings, stop

_SUFFIXES = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}


@click.group()
def slots() -> None:
    """Consultation slots as files, and back."""


@slots.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Write nothing, and say what would be done.")
@click.option(
    "--mode",
    type=click.Choice(["atomic", "partial"]),
    default="atomic",
    show_default=True,
    help="Post all of the slots or none, or those that are not refused.",
)
@click.option("--format", "form", type=click.Choice(["json", "ndjson", "csv"]), help="[default: by the file's name]")
def import_slots(file: Path, *, dry_run: bool, mode: str, form: str | None) -> None:
    """Post or change the slots in FILE: CSV, NDJSON or JSON, as the API takes them, and as many as you like.

    One transaction. A slot whose `external_id` is known is changed to be as the file says. Refused ones are named, with
    an error status.
    """
    from app import databases
    from app.access.callers import COMMAND_LINE
    from app.consultations import batch_files, batches
    from app.consultations.slot_edit_shapes import BatchMode, Outcome
    from app.consultations.slot_files import FileFormat
    from app.consultations.slot_stage import Stage
    from app.content import slugs
    from app.core.errors import InvalidInput

    settings = read_settings()
    kind, length, opened = FileFormat(form or _format_of(file)), file.stat().st_size, file.open("rb")

    async def post(database: Any) -> tuple[Stage, bool]:
        with opened, _bar(length, "Reading") as bar:
            stage = await batch_files.check(opened, kind, most=None, done=lambda _: bar.update(opened.tell() - bar.pos))
        with _bar(len(stage), "Writing") as bar:
            batch = batches.Batch(stage, BatchMode(mode), dry_run, COMMAND_LINE.actor, slugs.present, done=bar.update)
            return stage, await batches.post(database, batch)

    try:
        stage, was_written = or_stop(lambda: asyncio.run(databases.use(settings, post)))
    except InvalidInput as refusal:
        stop(f"{file} {refusal.faults[0].detail}")
    counts = stage.counts()
    for row in (row for page in stage.results(only_refused=True) for row in page):
        click.echo("\n".join(_lines(json.loads(row))))
    stage.close()
    click.echo(", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome) + ".")
    if not was_written:
        click.echo("Nothing was written.")
    if counts[Outcome.REFUSED]:
        sys.exit(1)


@slots.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--from", "starts_from", help="Slots that begin then or later: a date (UTC) or an instant. [default: now]"
)
@click.option("--to", "starts_before", help="Slots that begin before then.")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), help="[default: by the file's name, else csv]")
def export_slots(file: Path | None, *, starts_from: str | None, starts_before: str | None, form: str | None) -> None:
    """Write posted slots to FILE, or to standard output, so that `import` takes them as they are.

    Without those that are cancelled. A slot without an `external_id` is named by its id, so that `import` changes it
    and makes no copy of it.
    """
    from app import databases
    from app.consultations import slot_export
    from app.consultations.slot_files import FileFormat
    from app.core import clock

    settings = read_settings()
    begin = _moment(starts_from) if starts_from else clock.now()
    end = _moment(starts_before) if starts_before else None
    chosen = FileFormat(form or (_SUFFIXES.get(file.suffix.lower(), "csv") if file else "csv"))
    if chosen is FileFormat.JSON:
        stop("slots are exported as csv or ndjson")

    async def write(database: Any, target: IO[str]) -> int:
        count = 0
        async for number, part in slot_export.pages(database, chosen, starts_from=begin, starts_before=end):
            target.write(part)
            count += number
        return count

    def export() -> int:
        # Line ends are the format's own. What was there stays until all of it has been read.
        with TemporaryFile("w+", encoding="utf-8", newline="") as draft:
            count = asyncio.run(databases.use(settings, lambda database: write(database, draft)))
            draft.seek(0)
            with (
                open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False)
                if file is None
                else file.open("w", encoding="utf-8", newline="")
            ) as target:
                copyfileobj(draft, target)
        return count

    click.echo(f"{or_stop(export)} slots.", err=True)


def _format_of(file: Path) -> str:
    form = _SUFFIXES.get(file.suffix.lower())
    if form is None:
        stop(f"{file} does not end in {', '.join(_SUFFIXES)}: say --format")
    return form


def _bar(length: int, label: str) -> Any:
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _moment(said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        stop("--from and --to take a date, such as 2027-01-31, or an instant, such as 2027-01-31T09:00:00+01:00")
    if moment.tzinfo is None and moment.time() != datetime.min.time():
        stop("--from and --to need an offset from UTC, such as Z or +01:00")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _lines(result: dict[str, Any]) -> Iterator[str]:
    problem = result["problem"]
    faults = problem.get("errors") or [{"pointer": "", "detail": problem["detail"]}]
    for fault in faults:
        yield f"row {result['row']}: {problem['title']}: {fault['pointer'].lstrip('/')} {fault['detail']}".replace(
            ":  ", ": "
        )
