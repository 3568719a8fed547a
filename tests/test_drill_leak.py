"""The short form of the drill: one patient's life with planted words, and every byte searched for them."""

import random
from pathlib import Path

from app.core.settings import Settings
from tests.drills.leak import House, Planted, leaks, served_life


def test_the_words_of_a_patient_are_read_nowhere_whatever_happened(settings: Settings, tmp_path: Path) -> None:
    house = House(settings, tmp_path, Planted(random.Random(7)))
    served_life(house, 1)
    assert len(house.planted.values) > 10
    assert leaks(house, tmp_path) == []
    # That a leak would be seen, in whichever form.
    email = house.planted.values[1]
    (tmp_path / "log-1").write_text(f"refused {email}")
    (tmp_path / "log-2").write_text(email.encode().hex())
    assert len(leaks(house, tmp_path)) == 2
