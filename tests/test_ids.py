"""References that people say and type: what was meant is found, and a slip is noticed."""

import re
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import REFERENCE_PATTERN, digest, new_id, new_reference, new_secret, parse_reference

# Douglas Crockford's base 32, of which the check symbol is the number modulo 37.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def spell(number: int) -> str:
    """Nine symbols of the number and its check symbol, without a hyphen."""
    symbols = [ALPHABET[number // 32**place % 32] for place in reversed(range(9))]
    return "".join(symbols) + ALPHABET[number % 37]


def hyphenated(symbols: str) -> str:
    """The form in which a reference is given out."""
    return f"{symbols[:5]}-{symbols[5:]}"


references = st.integers(0, 2**45 - 1).filter(lambda number: number % 37 < 32).map(spell)


def test_new_references_are_well_formed_and_differ() -> None:
    made = {new_reference() for _ in range(500)}
    assert len(made) == 500
    assert [reference for reference in made if not re.fullmatch(REFERENCE_PATTERN, reference)] == []
    assert [reference for reference in made if parse_reference(reference) != reference] == []


@given(references, st.data())
def test_a_reference_is_understood_however_it_is_spoken(symbols: str, data: st.DataObject) -> None:
    heard = {"0": "0oO", "1": "1iIlL"}
    spoken = [data.draw(st.sampled_from(heard.get(symbol, symbol + symbol.lower()))) for symbol in symbols]
    between = [data.draw(st.sampled_from(["", "-", " ", " - "])) for _ in symbols]
    said = "".join(pause + symbol for pause, symbol in zip(between, spoken, strict=True))
    assert parse_reference(said) == hyphenated(symbols)


@given(references)
def test_every_single_wrong_symbol_is_noticed(symbols: str) -> None:
    slips = [
        symbols[:place] + wrong + symbols[place + 1 :]
        for place in range(10)
        for wrong in ALPHABET + "U*~$="
        if wrong != symbols[place]
    ]
    assert [slip for slip in slips if parse_reference(slip) is not None] == []


@given(references)
def test_every_exchange_of_neighbours_is_noticed(symbols: str) -> None:
    slips = [
        symbols[:place] + symbols[place + 1] + symbols[place] + symbols[place + 2 :]
        for place in range(9)
        if symbols[place] != symbols[place + 1]
    ]
    assert [slip for slip in slips if parse_reference(slip) is not None] == []


@given(st.text())
def test_anything_else_is_no_reference(said: str) -> None:
    parsed = parse_reference(said)
    assert parsed is None or re.fullmatch(REFERENCE_PATTERN, parsed)


@pytest.mark.parametrize("said", ["", "-", "00000-0001", "00000-000111", "00000-00011\n", "00000-0001\x00"])
def test_too_little_and_too_much_is_no_reference(said: str) -> None:
    assert parse_reference(said) is None


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret("cp_test_") for _ in range(100)}
    assert len(made) == 100
    # 256 bits are 43 characters of base 64.
    assert [secret for secret in made if not re.fullmatch(r"cp_test_[A-Za-z0-9_-]{43}", secret)] == []
    assert len({digest(secret) for secret in made}) == 100


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {(made.version, made.variant) for made in ids} == {(7, RFC_4122)}
