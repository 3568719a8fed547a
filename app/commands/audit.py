"""`carepath audit ...`: the trail of who did what."""

import click

from app.commands.running import read_settings, with_keyring


@click.group()
def audit() -> None:
    """The trail of who did what."""


@audit.command("verify")
def verify() -> None:
    """Compare the trail with its seals, and the newest seal with the file that CAREPATH_AUDIT_HEAD_FILE names.

    Names the seal of whatever was changed, added or taken away, and then ends with an error status.
    """
    from app.access import seal_check

    settings = read_settings()
    path = settings.audit_head_path
    verdict = with_keyring(settings, lambda database, ring: seal_check.check(database, ring, path))
    for finding in verdict.findings:
        click.echo(f"WRONG {finding}")
    click.echo(f"Seals: {verdict.seals}. Entries: {verdict.sealed} sealed, {verdict.unsealed} not yet.")
    if verdict.findings:
        raise SystemExit(1)
