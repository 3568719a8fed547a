"""Envelopes and the key ring: what was sealed is opened, unless anything of it was changed."""

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import Envelope, EnvelopeUnreadable, Keyring, load_keyring, make_keyring
from app.core.keyring_file import KeyringInvalid

MAKE = """
import pathlib, sys
from app.core import crypto
print(crypto.make_keyring(pathlib.Path(sys.argv[1])).primary)
"""
PARTS = ("wrapped_key", "nonce", "ciphertext")


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """A key ring with one key."""
    return make_keyring(tmp_path_factory.mktemp("keys") / "keyring")


def is_readable(keyring: Keyring, envelope: Envelope, context: str = "context") -> bool:
    """Whether the envelope opens, in whatever way."""
    try:
        keyring.open(envelope, context=context)
    except EnvelopeUnreadable:
        return False
    return True


def rotated(keyring: Keyring, newer: Keyring) -> Keyring:
    """The ring with another's key as its primary."""
    return Keyring(newer.primary, {**keyring.keys, **newer.keys})


@given(plaintext=st.binary(max_size=200), context=st.text(max_size=50))
def test_what_was_sealed_is_opened(keyring: Keyring, plaintext: bytes, context: str) -> None:
    envelope = keyring.seal(plaintext, context=context)
    assert keyring.open(envelope, context=context) == plaintext
    assert not plaintext or len(plaintext) < 4 or plaintext not in envelope.ciphertext


def with_part(envelope: Envelope, part: str, value: bytes) -> Envelope:
    """The envelope with these bytes in the place of its own."""
    changes: dict[str, Any] = {part: value}
    return replace(envelope, **changes)


@given(data=st.data(), plaintext=st.binary(max_size=20))
def test_a_flipped_bit_is_noticed(keyring: Keyring, data: st.DataObject, plaintext: bytes) -> None:
    envelope = keyring.seal(plaintext, context="context")
    part = data.draw(st.sampled_from(PARTS))
    value = bytearray(getattr(envelope, part))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert not is_readable(keyring, with_part(envelope, part, bytes(value)))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_was_cut_short_is_noticed(keyring: Keyring, part: str) -> None:
    envelope = keyring.seal(b"x" * 100, context="context")
    for length in range(len(getattr(envelope, part))):
        assert not is_readable(keyring, with_part(envelope, part, getattr(envelope, part)[:length]))


def test_an_envelope_belongs_to_its_context_and_to_its_key(keyring: Keyring, tmp_path: Path) -> None:
    envelope = keyring.seal(b"words", context="context")
    stranger = make_keyring(tmp_path / "keyring")
    assert not is_readable(keyring, envelope, "context ")
    assert not is_readable(stranger, envelope)
    assert not is_readable(stranger, replace(envelope, key_id=stranger.primary))


def test_no_two_envelopes_share_a_key_or_a_nonce(keyring: Keyring) -> None:
    envelopes = [keyring.seal(b"words", context="context") for _ in range(50)]
    for part in PARTS:
        assert len({getattr(envelope, part) for envelope in envelopes}) == 50


def test_a_ring_with_a_new_primary_key_still_opens_what_the_old_one_sealed(keyring: Keyring, tmp_path: Path) -> None:
    newer = make_keyring(tmp_path / "keyring")
    both = rotated(keyring, newer)
    assert both.open(keyring.seal(b"words", context="context"), context="context") == b"words"
    assert both.seal(b"words", context="context").key_id == newer.primary


def test_a_fingerprint_depends_on_the_data_and_the_key(keyring: Keyring, tmp_path: Path) -> None:
    newer = make_keyring(tmp_path / "keyring")
    both = rotated(keyring, newer)
    made = [both.fingerprint(data, key_id=key) for data in (b"a", b"b") for key in (keyring.primary, newer.primary)]
    assert len(set(made)) == 4
    assert both.fingerprint(b"a", key_id=keyring.primary) == keyring.fingerprint(b"a", key_id=keyring.primary)
    with pytest.raises(EnvelopeUnreadable):
        keyring.fingerprint(b"a", key_id=newer.primary)


def test_a_rewrapped_envelope_is_the_same_under_another_key(keyring: Keyring, tmp_path: Path) -> None:
    newer = make_keyring(tmp_path / "keyring")
    old = keyring.seal(b"words", context="context")
    new = rotated(keyring, newer).rewrap(old, context="context")
    assert (new.key_id, new.nonce, new.ciphertext) == (newer.primary, old.nonce, old.ciphertext)
    assert newer.open(new, context="context") == b"words"
    for envelope, context in ((old, "other"), (replace(old, wrapped_key=old.wrapped_key[:-1]), "context")):
        with pytest.raises(EnvelopeUnreadable):
            rotated(keyring, newer).rewrap(envelope, context=context)
    with pytest.raises(EnvelopeUnreadable):
        newer.rewrap(old, context="context")


def test_what_is_derived_from_a_key_serves_one_purpose(keyring: Keyring) -> None:
    (key,) = keyring.keys.values()
    seal_key = keyring.seal_key(keyring.primary)
    digests = {
        keyring.fingerprint(b"a", key_id=keyring.primary),
        keyring.blind_index("a"),
        hmac.digest(seal_key, b"a", "sha256"),
        hmac.digest(key, b"a", "sha256"),
    }
    assert len(digests) == 4
    with pytest.raises(EnvelopeUnreadable):
        keyring.seal_key("0" * 12)


def test_a_new_ring_is_its_owners_alone_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keyring"
    made = make_keyring(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keyring(path).keys == make_keyring(path).keys == made.keys
    assert [file.name for file in path.parent.iterdir()] == ["keyring"]
    assert [key for key in made.keys.values() if repr(key) in repr(made)] == []


def bad_files(path: Path) -> Iterator[tuple[str, Any]]:
    """What a key ring's file may not hold, made from one that is well."""
    good = json.loads(path.read_text())
    ((key_id, key),) = good["keys"].items()
    yield "not JSON", "{"
    yield "not UTF-8", b"\xff\xfe"
    for name, content in {
        "a list": [],
        "a number": 7,
        "no keys": {"primary": key_id},
        "no primary": {"keys": good["keys"]},
        "keys in a list": {"primary": key_id, "keys": [key]},
        "a key that is a number": {"primary": key_id, "keys": {key_id: 7}},
        "not base 64": {"primary": key_id, "keys": {key_id: key[:-2] + "!="}},
        "a short key": {"primary": key_id, "keys": {key_id: base64.b64encode(b"short").decode()}},
        "another key's id": {"primary": "0" * 12, "keys": {"0" * 12: key}},
        "an unknown primary": {"primary": "0" * 12, "keys": good["keys"]},
        "a primary that is a list": {"primary": [key_id], "keys": good["keys"]},
        "an empty ring": {"primary": None, "keys": {}},
        "a short seal key": {**good, "seal_keys": {"0" * 12: base64.b64encode(b"short").decode()}},
        "a time without a zone": {**good, "retired_at": {key_id: "2026-01-01T00:00:00"}},
        "no time": {**good, "retired_at": {key_id: 7}},
    }.items():
        yield name, json.dumps(content)


def test_a_file_that_is_no_key_ring_is_refused_without_telling_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keyring"
    with pytest.raises(KeyringInvalid, match="there is no key ring at"):
        load_keyring(path)
    made = make_keyring(path)
    (key,) = (base64.b64encode(key).decode() for key in made.keys.values())
    told: dict[str, object] = {}
    for name, content in list(bad_files(path)):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            load_keyring(path)
        except KeyringInvalid as refusal:
            told[name] = str(path) in str(refusal) and key not in str(refusal)
        except Exception as error:  # noqa: BLE001 - whatever else it is, it is told below
            told[name] = error
        else:
            told[name] = "was taken"
    assert told == dict.fromkeys(told, True)


def test_processes_that_make_a_ring_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE, str(tmp_path / "keyring")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=30)[0] for process in started]
    assert told == [load_keyring(tmp_path / "keyring").primary + "\n"] * 4
    assert [file.name for file in tmp_path.iterdir()] == ["keyring"]
