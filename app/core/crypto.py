"""Encryption at rest: a key ring, and envelopes made with it.

Every envelope has a data key of its own (AES-256-GCM), wrapped by the ring's primary key. The context, for example
`patient_details|<booking id>|1`, is authenticated, so that a row's bytes cannot be moved to another row.
"""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core import keyring_file
from app.core.keyring_file import Ring
from app.core.keyring_watch import Keys, WatchedFile

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_T = TypeVar("_T")


class EnvelopeUnreadable(Exception):
    """No key of the ring opens the envelope, or its bytes or context were changed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sealed bytes, and all that is needed beside the key ring to open them."""

    key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


class Keyring:
    """Key-encryption keys by id; new envelopes use the primary one.

    One that was loaded from a file follows it: another process's change is seen at the next use. What belongs together,
    such as an envelope and the digests that are kept beside it, is made with one `steady` ring.
    """

    __slots__ = ("_file", "_held")

    def __init__(self, primary: str, keys: Mapping[str, bytes], seal_keys: Mapping[str, bytes] | None = None) -> None:
        self._held: Keys | None = Keys(Ring(primary, keys, seal_keys or {}))
        self._file: WatchedFile | None = None

    def steady(self) -> "Keyring":
        """The ring as it is now, for one request: its primary key stays. It still opens what a newer key seals."""
        return self if self._file is None else _following(self._file, self._now())

    @property
    def primary(self) -> str:
        """The id of the key that seals."""
        return self._now().primary

    @property
    def keys(self) -> Mapping[str, bytes]:
        """Every key by its id."""
        return self._newest().ring.keys

    @property
    def seal_keys(self) -> Mapping[str, bytes]:
        """Every seal key by its key's id, those of dropped keys too."""
        return self._newest().seals

    def seal(self, plaintext: bytes, *, context: str) -> Envelope:
        """Encrypt under a fresh data key."""
        keys, bound = self._now(), context.encode()
        random = os.urandom(_KEY_BYTES + 2 * _NONCE_BYTES)
        data_key, wrapping_nonce, nonce = random[:_KEY_BYTES], random[_KEY_BYTES:-_NONCE_BYTES], random[-_NONCE_BYTES:]
        wrapped = keys.ciphers[keys.primary].encrypt(wrapping_nonce, data_key, bound)
        ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, bound)
        return Envelope(keys.primary, wrapping_nonce + wrapped, nonce, ciphertext)

    def open(self, envelope: Envelope, *, context: str) -> bytes:
        """Decrypt; raises EnvelopeUnreadable."""
        bound = context.encode()
        data_key = self._unwrap(envelope, bound)
        try:
            return AESGCM(data_key).decrypt(envelope.nonce, envelope.ciphertext, bound)
        except (InvalidTag, ValueError):  # the latter for a part that was cut short
            raise EnvelopeUnreadable from None

    def rewrap(self, envelope: Envelope, *, context: str) -> Envelope:
        """The same envelope with its data key under the primary key; raises EnvelopeUnreadable."""
        keys, bound = self._now(), context.encode()
        data_key, nonce = self._unwrap(envelope, bound), os.urandom(_NONCE_BYTES)
        wrapped = keys.ciphers[keys.primary].encrypt(nonce, data_key, bound)
        return replace(envelope, key_id=keys.primary, wrapped_key=nonce + wrapped)

    def fingerprint(self, data: bytes, *, key_id: str) -> bytes:
        """A keyed digest (HMAC-SHA-256): what a patient wrote could be guessed from a plain one."""
        return hmac.digest(_known(self._state_with(key_id).fingerprints.get(key_id)), data, "sha256")

    def blind_index(self, value: str) -> bytes:
        """What a normalised contact is looked up by: a keyed digest (HMAC-SHA-256) under the primary key."""
        keys = self._now()
        return hmac.digest(keys.indexes[keys.primary], value.encode(), "sha256")

    def blind_indexes(self, value: str) -> list[bytes]:
        """The same under every key that the ring has in this moment: while a rotation runs, rows have one or another.

        Ask within the transaction, right before the statement that looks.
        """
        return [hmac.digest(key, value.encode(), "sha256") for key in self._newest().indexes.values()]

    def seal_key(self, key_id: str) -> bytes:
        """The key of the trail's chain that belongs to this key, dropped or not; raises EnvelopeUnreadable."""
        return _known(self._state_with(key_id).seals.get(key_id))

    def _now(self) -> Keys:
        return self._held or self._newest()

    def _newest(self, *, anew: bool = False) -> Keys:
        if self._file is not None:
            return self._file.keys(anew=anew)
        assert self._held is not None
        return self._held

    def _state_with(self, key_id: str) -> Keys:
        # Another process may have made the key since this ring was held steady, or a moment ago.
        keys = self._now()
        return keys if key_id in keys.seals else self._newest(anew=True)

    def _unwrap(self, envelope: Envelope, bound: bytes) -> bytes:
        cipher = _known(self._state_with(envelope.key_id).ciphers.get(envelope.key_id))
        wrapping_nonce, wrapped = envelope.wrapped_key[:_NONCE_BYTES], envelope.wrapped_key[_NONCE_BYTES:]
        try:
            return cipher.decrypt(wrapping_nonce, wrapped, bound)
        except (InvalidTag, ValueError):
            raise EnvelopeUnreadable from None


def _known(thing: _T | None) -> _T:
    if thing is None:
        raise EnvelopeUnreadable
    return thing


def load_keyring(path: Path) -> Keyring:
    """The key ring in this file, which it follows; raises KeyringInvalid."""
    return _following(WatchedFile(path), None)


def make_keyring(path: Path) -> Keyring:
    """Write a new key ring that only this user can read; one that another process wrote meanwhile wins."""
    keyring_file.create(path)
    return load_keyring(path)


def _following(file: WatchedFile, held: Keys | None) -> Keyring:
    keyring = Keyring.__new__(Keyring)
    keyring._file, keyring._held = file, held  # noqa: SLF001 - a second way to make one, of this module's own
    return keyring
