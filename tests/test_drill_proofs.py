"""That every sabotage in the table is a test of this suite, which runs them all."""

from pathlib import Path

from tests.drills.proofs import TAKEN_AWAY


def test_every_sabotage_is_a_test_of_the_suite() -> None:
    folder = Path(__file__).parent
    for test in TAKEN_AWAY.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (folder / file).read_text()
