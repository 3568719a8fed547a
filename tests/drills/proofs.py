"""The proofs can fail: each guard is taken away in turn, and the drill that it belongs to must notice.

`uv run --group test python -m tests.drills.proofs` runs the short form of each of them, on both databases.
"""

import subprocess
import sys
from pathlib import Path

import click

CHECKOUT = Path(__file__).parents[2]
# What is taken away, and the test that sees its drill turn red.
TAKEN_AWAY = {
    "the unique index on live seats": "test_drill_storm.py::test_the_storm_sees_that_the_index_is_gone",
    "the unique index, by hand": (
        "test_race.py::test_of_two_transactions_that_insert_one_seat_at_once_the_index_refuses_one"
    ),
    "leaving the transaction by exception": "test_drill_storm.py::test_the_storm_sees_that_a_refusal_is_swallowed",
    "COMMIT": "test_drill_storm.py::test_the_storm_sees_bookings_that_were_promised_and_never_made",
    "the lock of the slot": (
        "test_drill_interleavings.py::test_without_its_lock_a_slot_is_cancelled_under_a_booking_and_the_drill_sees_it"
    ),
    "synchronous=FULL": "test_drill_power_cut.py::test_a_power_cut_loses_bookings_that_wait_for_no_sync",
    "the line in the trail": "test_drill_model.py::test_the_model_sees_that_the_trail_is_forgotten",
    "the one clock": "test_drill_model.py::test_the_model_sees_that_the_clients_clock_is_trusted",
    "the order of COMMIT and answer": "test_drill_kill.py::test_an_answer_ahead_of_its_commit_is_seen",
    "the idempotency key": "test_drill_kill.py::test_a_forgotten_key_is_seen",
    "errors that mean later": "test_drill_disk_full.py::test_a_full_disk_that_nobody_expects_is_seen",
    "a closed door": (
        "test_drill_authorization.py::test_the_drill_sees_a_door_that_stands_open_and_one_that_nobody_wrote_down"
    ),
}


@click.command()
def main() -> None:
    """Take each guard away and see its drill turn red."""
    is_sound = True
    for taken, test in TAKEN_AWAY.items():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"tests/{test}"]
        ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        is_sound = is_sound and ended.returncode == 0
        told = ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else "pytest did not start"
        click.echo(f"- without {taken}: {'noticed' if ended.returncode == 0 else 'NOT NOTICED'} ({told.strip('= ')})")
    if not is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
