"""The key ring's file, and the only code that changes it.

`{"primary": "<id>", "keys": {"<id>": "<32 bytes>"}, "retired_at": {"<id>": "<instant>"}, "seal_keys": {"<id>": "<32
bytes>"}}`, bytes in base64. A key that was dropped leaves its seal key, which verifies the trail and decrypts nothing.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from app.core import clock
from app.core.errors import NotReady

# A transaction that began under the old primary key may still commit for so long: longer than any request lives.
SETTLES_AFTER: Final = timedelta(seconds=60)
_KEY_BYTES: Final = 32


class KeyringInvalid(NotReady):
    """The key ring's file is missing or is not a key ring. The text names the file and no key."""


class KeyStillNeeded(NotReady):
    """A key cannot be dropped. The text says why, in one line."""


@dataclass(frozen=True, slots=True, repr=False)
class Ring:
    """What the file holds."""

    primary: str
    keys: Mapping[str, bytes]
    # Of keys that were dropped.
    seal_keys: Mapping[str, bytes] = field(default_factory=dict)
    # When a key ceased to be the primary one.
    retired_at: Mapping[str, datetime] = field(default_factory=dict)

    def is_successor_of(self, earlier: "Ring") -> bool:
        """Whether every key of that ring is here, or was dropped in order."""
        return earlier.keys.keys() | earlier.seal_keys.keys() <= self.keys.keys() | self.seal_keys.keys()


def derive(key: bytes, purpose: str) -> bytes:
    """The key for this purpose: nothing that it is used for tells of the key, or of another purpose's."""
    return hmac.digest(key, purpose.encode(), "sha256")


def derive_seal_key(key: bytes) -> bytes:
    """The key of the trail's chain: it outlives the key that it is derived from."""
    return derive(key, "audit seal")


def read(path: Path) -> Ring:
    """Read a key ring; raises KeyringInvalid, and OSError where there is a file that cannot be read."""
    try:
        ring = _parse(json.loads(path.read_bytes()))
        fits = ring.primary in ring.keys and all(_id_of(key) == key_id for key_id, key in ring.keys.items())
    except FileNotFoundError:
        raise KeyringInvalid(f"there is no key ring at {path}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeyringInvalid(f"{path} is not a key ring") from None
    if not fits:
        raise KeyringInvalid(f"{path} is not a key ring: a key and its id do not belong together")
    return ring


def create(path: Path) -> None:
    """Write a new key ring that only this user can read; one that another process wrote meanwhile wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(_KEY_BYTES)
    with _draft(path, Ring(_id_of(key), {_id_of(key): key})) as draft:
        try:
            # A link is made whole or not at all, and never over an existing name.
            os.link(draft, path)
        except FileExistsError:
            return
    _sync_folder(path)


def add_primary(path: Path) -> str:
    """Make a new primary key and keep the old ones; returns its id."""
    key = secrets.token_bytes(_KEY_BYTES)
    key_id = _id_of(key)
    with _alone(path) as ring:
        keys, retired_at = {**ring.keys, key_id: key}, {**ring.retired_at, ring.primary: clock.now()}
        _replace(path, replace(ring, primary=key_id, keys=keys, retired_at=retired_at))
    return key_id


def drop(path: Path, key_id: str) -> None:
    """Forget this key but for its seal key; raises KeyStillNeeded for the primary, and for one that just was it."""
    with _alone(path) as ring:
        refuse_to_drop(ring, key_id)
        without = {known: key for known, key in ring.keys.items() if known != key_id}
        seal_keys = {**ring.seal_keys, key_id: derive_seal_key(ring.keys[key_id])}
        _replace(path, replace(ring, keys=without, seal_keys=seal_keys))


def refuse_to_drop(ring: Ring, key_id: str) -> None:
    """Raise KeyStillNeeded where the ring itself says that the key cannot go."""
    if key_id in ring.seal_keys:
        raise KeyStillNeeded(f"key {key_id} was dropped before")
    if key_id not in ring.keys:
        raise KeyStillNeeded(f"the key ring has no key {key_id}")
    if key_id == ring.primary:
        raise KeyStillNeeded(f"key {key_id} is the primary key: run `carepath keyring rotate` first")
    retired_at = ring.retired_at.get(key_id)
    if retired_at is not None and clock.now() - retired_at < SETTLES_AFTER:
        seconds = SETTLES_AFTER.total_seconds()
        raise KeyStillNeeded(f"key {key_id} was the primary key less than {seconds:.0f} seconds ago: try again later")


@contextmanager
def _alone(path: Path) -> Iterator[Ring]:
    """The ring as it is, while no other process changes it: of two that add a key, none is lost."""
    while True:
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            raise KeyringInvalid(f"there is no key ring at {path}") from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Who waited for another's change holds the lock of the file that was replaced.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield read(path)
                return


def _replace(path: Path, ring: Ring) -> None:
    # A link to the file stays a link.
    path = path.resolve()
    old = path.stat()
    with _draft(path, ring) as draft:
        # Who could read the old file can read the new one: root may have been the one to rotate.
        os.chown(draft, old.st_uid, old.st_gid)
        draft.chmod(old.st_mode & 0o777)
        draft.rename(path)
    _sync_folder(path)


@contextmanager
def _draft(path: Path, ring: Ring) -> Iterator[Path]:
    """A file beside the ring's that holds this, safe on the disk."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(_format(ring), file)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(content: Any) -> Ring:
    retired_at = {key_id: datetime.fromisoformat(at) for key_id, at in content.get("retired_at", {}).items()}
    if any(at.tzinfo is None for at in retired_at.values()):
        raise ValueError
    return Ring(content["primary"], _bytes(content["keys"]), _bytes(content.get("seal_keys", {})), retired_at)


def _bytes(keys: Any) -> dict[str, bytes]:
    known = {key_id: base64.b64decode(key, validate=True) for key_id, key in keys.items()}
    if any(len(key) != _KEY_BYTES for key in known.values()):
        raise ValueError
    return known


def _format(ring: Ring) -> dict[str, Any]:
    keys, seal_keys = (
        {key_id: base64.b64encode(key).decode() for key_id, key in known.items()}
        for known in (ring.keys, ring.seal_keys)
    )
    retired_at = {key_id: at.isoformat() for key_id, at in ring.retired_at.items()}
    return {"primary": ring.primary, "keys": keys, "retired_at": retired_at, "seal_keys": seal_keys}


def _id_of(key: bytes) -> str:
    # Made from the key, so that a ring whose entries were mixed up is noticed when it is read.
    return hashlib.sha256(b"carepath key id" + key).hexdigest()[:12]
