"""Bookings against a plain model of them, short; and what the drill says of applications that break their promises."""

import pytest

from app.core.settings import Settings
from tests.drills import model, sabotage
from tests.drills.model import Options

SHORT = Options(examples=8, steps=60)
# What the short form must have met, or it says little. It is the same in every run.
MET = {
    "done",
    "slot-taken held",
    "slot-taken past",
    "booking-ended",
    "booking-not-found",
    "hold-expired",
    "scope-missing",
}


def test_whatever_is_done_the_answers_are_those_of_a_plain_model(settings: Settings) -> None:
    stage = model.drill(settings, SHORT)
    assert not MET - stage.answers.keys()
    assert stage.counts["examples"] >= SHORT.examples


def test_the_model_sees_that_the_clients_clock_is_trusted(settings: Settings) -> None:
    with sabotage.clients_clock_trusted(), pytest.raises(AssertionError, match="where the model"):
        model.drill(settings, SHORT)


def test_the_model_sees_that_the_trail_is_forgotten(settings: Settings) -> None:
    with sabotage.trail_forgotten(), pytest.raises(AssertionError, match="every step is in the trail"):
        model.drill(settings, SHORT)
