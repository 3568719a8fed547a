"""The key ring's file: every process follows it, no change of it is lost, and nothing that happens to it stops one."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from app.core import clock, keyring_file
from app.core.crypto import Envelope, EnvelopeUnreadable, Keyring, load_keyring, make_keyring
from app.core.keyring_file import KeyringInvalid, KeyStillNeeded

SEAL = """
import pathlib
from app.core import crypto, keyring_file
path = pathlib.Path({!r})
keyring_file.add_primary(path)
envelope = crypto.load_keyring(path).seal(b"words", context="context")
print(envelope.key_id, *(part.hex() for part in (envelope.wrapped_key, envelope.nonce, envelope.ciphertext)))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a new key ring is."""
    make_keyring(tmp_path / "ring" / "keyring")
    return tmp_path / "ring" / "keyring"


def age(path: Path, by: timedelta = keyring_file.SETTLES_AFTER) -> None:
    """Let every key that was retired have been so for longer."""
    content = json.loads(path.read_text())
    content["retired_at"] = {key_id: (clock.now() - by).isoformat() for key_id in content["retired_at"]}
    # Made whole or not at all, like every change.
    draft = path.with_name("aged")
    draft.write_text(json.dumps(content))
    draft.chmod(0o600)
    draft.rename(path)


def failures(log: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as having gone wrong."""
    return [record.getMessage() for record in log.records]


def test_what_another_process_seals_with_a_brand_new_key_is_opened_at_once(path: Path) -> None:
    keyring = load_keyring(path)
    held, first = keyring.steady(), keyring.primary
    other = subprocess.run([sys.executable, "-c", SEAL.format(str(path))], capture_output=True, text=True, check=True)
    key_id, *parts = other.stdout.split()
    envelope = Envelope(key_id, *map(bytes.fromhex, parts))
    assert first != key_id
    assert held.open(envelope, context="context") == b"words"
    assert keyring.open(envelope, context="context") == b"words"
    assert keyring.seal(b"", context="").key_id == keyring.primary == key_id


def test_a_steady_ring_keeps_its_primary_key_and_looks_for_contacts_under_all(path: Path) -> None:
    keyring = load_keyring(path)
    held = keyring.steady()
    indexes = {held.blind_index("a")}
    first, second = keyring.primary, keyring_file.add_primary(path)
    assert (held.primary, held.seal(b"", context="").key_id, keyring.steady().primary) == (first, first, second)
    assert held.rewrap(keyring.seal(b"", context=""), context="").key_id == first
    indexes.add(keyring.blind_index("a"))
    assert set(held.blind_indexes("a")) == indexes == set(keyring.blind_indexes("a"))
    assert len(indexes) == 2
    assert held.seal_key(second) == keyring.seal_key(second)
    assert held.fingerprint(b"a", key_id=second) == keyring.fingerprint(b"a", key_id=second)


def test_of_keys_that_are_made_at_once_none_is_lost(path: Path) -> None:
    first = load_keyring(path).primary
    # The kernel's lock is between open files: threads meet it as processes do, and at the same moment.
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(keyring_file.add_primary, [path] * 60))
    ring = keyring_file.read(path)
    assert ring.keys.keys() == {first, *made}
    assert len(made) == len(set(made))
    assert ring.retired_at.keys() == ring.keys.keys() - {ring.primary}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keyring"]


def test_a_link_to_the_ring_stays_a_link_and_who_could_read_it_still_can(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    path.chmod(0o640)
    made = keyring_file.add_primary(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert load_keyring(path).primary == load_keyring(tmp_path / "link").primary == made


def gone(path: Path) -> None:
    """There is no file."""
    path.unlink()


def torn(path: Path) -> None:
    """Only half of the file is there."""
    path.write_bytes(path.read_bytes()[:50])


def a_folder(path: Path) -> None:
    """The file cannot be read."""
    path.unlink()
    path.mkdir()


def foreign(path: Path) -> None:
    """It is another's key ring."""
    path.unlink()
    make_keyring(path)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (gone, "keyring_unreadable"),
        (a_folder, "keyring_unreadable"),
        (torn, "keyring_invalid"),
        (foreign, "keyring_lacks_keys"),
    ],
)
def test_a_ring_in_use_outlives_its_file(
    harm: Callable[[Path], None], told: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keyring, good = load_keyring(path), path.read_bytes()
    keyring_file.add_primary(path)
    envelope, better = keyring.seal(b"words", context="context"), path.read_bytes()
    assert better != good
    harm(path)
    for _ in range(3):
        assert keyring.open(envelope, context="context") == b"words"
        assert keyring.seal(b"", context="").key_id == envelope.key_id
    assert failures(caplog) == [told]
    # An old copy lacks the newer key: what is sealed with it must still be opened.
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_bytes(good)
    assert keyring.open(envelope, context="context") == b"words"
    assert keyring.primary == envelope.key_id
    path.write_bytes(better)
    newest = keyring_file.add_primary(path)
    assert keyring.primary == newest
    assert len(failures(caplog)) == (1 if told == "keyring_lacks_keys" else 2)


def test_a_dropped_key_opens_nothing_and_still_verifies(path: Path) -> None:
    keyring = load_keyring(path)
    old, envelope = keyring.primary, keyring.seal(b"words", context="context")
    seal_key, digest = keyring.seal_key(old), keyring.fingerprint(b"", key_id=old)
    assert digest
    keyring_file.add_primary(path)
    age(path)
    keyring_file.drop(path, old)
    for ring in (keyring, load_keyring(path)):
        assert (old in ring.keys, ring.seal_key(old)) == (False, seal_key)
        assert len(ring.blind_indexes("a")) == 1
        with pytest.raises(EnvelopeUnreadable):
            ring.open(envelope, context="context")
        with pytest.raises(EnvelopeUnreadable):
            ring.fingerprint(b"", key_id=old)
    assert keyring_file.add_primary(path) == keyring.primary
    assert keyring.seal_key(old) == seal_key


def test_a_key_that_may_be_needed_is_not_dropped(path: Path) -> None:
    first = load_keyring(path).primary
    second = keyring_file.add_primary(path)
    before = path.read_bytes()
    for key_id, reason in ((second, "is the primary key"), (first, "less than 60 seconds"), ("nobody's", "has no key")):
        with pytest.raises(KeyStillNeeded, match=reason):
            keyring_file.drop(path, key_id)
    assert path.read_bytes() == before
    age(path)
    keyring_file.drop(path, first)
    with pytest.raises(KeyStillNeeded, match="was dropped before"):
        keyring_file.drop(path, first)


def test_a_ring_that_is_missing_cannot_be_changed(tmp_path: Path) -> None:
    for change in (keyring_file.add_primary, lambda path: keyring_file.drop(path, "0" * 12), keyring_file.read):
        with pytest.raises(KeyringInvalid, match="there is no key ring"):
            change(tmp_path / "keyring")
    assert list(tmp_path.iterdir()) == []


def test_a_ring_of_the_first_form_is_taken(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in ("primary", "keys")}))
    keyring: Keyring = load_keyring(path)
    assert keyring.seal_keys.keys() == keyring.keys.keys() == {keyring.primary}
