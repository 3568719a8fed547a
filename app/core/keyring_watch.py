"""The key ring as a process has it in memory: ready for use, and never older than its file."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core import keyring_file, logs
from app.core.keyring_file import KeyringInvalid, Ring


class Keys:
    """A ring with all that is derived from its keys: made once, not for every request."""

    __slots__ = ("ciphers", "fingerprints", "indexes", "primary", "ring", "seals")

    def __init__(self, ring: Ring) -> None:
        self.ring, self.primary = ring, ring.primary
        self.ciphers = {key_id: AESGCM(key) for key_id, key in ring.keys.items()}
        self.fingerprints = {key_id: keyring_file.derive(key, "fingerprint") for key_id, key in ring.keys.items()}
        self.indexes = {key_id: keyring_file.derive(key, "blind index") for key_id, key in ring.keys.items()}
        own = {key_id: keyring_file.derive_seal_key(key) for key_id, key in ring.keys.items()}
        self.seals = {**ring.seal_keys, **own}


class WatchedFile:
    """A key ring's file, read again when it has changed. What was read outlives whatever happens to the file.

    Keys leave a ring by `carepath keyring drop` only, which leaves their seal keys. A ring that lacks both was put
    there by mistake and is not taken: rows would become unreadable, and new ones would be sealed with a key that the
    true ring lacks. The process logs it and goes on with what it has; a start with such a ring is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._told: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._keys = Keys(keyring_file.read(path))

    def keys(self, *, anew: bool = False) -> Keys:
        """What the file holds now; `anew` reads it even where it looks unchanged, as on disks of a network."""
        try:
            version = _version_of(self._path)
            if version != self._seen or anew:
                self._take(keyring_file.read(Path(self._path)))
                self._seen = version
        except KeyringInvalid:
            self._seen = version
            self._tell("keyring_invalid")
        except OSError:
            self._tell("keyring_unreadable")
        return self._keys

    def _take(self, ring: Ring) -> None:
        if not ring.is_successor_of(self._keys.ring):
            self._tell("keyring_lacks_keys")
            return
        self._told = None
        if ring != self._keys.ring:
            self._keys = Keys(ring)

    def _tell(self, what: str) -> None:
        # Once, not at every use.
        if what != self._told:
            self._told = what
            logs.failure(what)


def _version_of(path: str | Path) -> tuple[int, int, int]:
    # Two microseconds; asked at every use of the ring.
    status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    return status.st_mtime_ns, status.st_ino, status.st_size
