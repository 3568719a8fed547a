"""Encryption at rest: a key ring, and envelopes made with it.

Every envelope has a data key of its own (AES-256-GCM), wrapped by the ring's primary key. The context, for example
`patient_details|<booking id>|1`, is authenticated, so that a row's bytes cannot be moved to another row.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32


class KeyringInvalid(Exception):
    """The key ring's file is missing or is not a key ring. The text names the file and no key."""


class EnvelopeUnreadable(Exception):
    """No key of the ring opens the envelope, or its bytes or context were changed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sealed bytes, and all that is needed beside the key ring to open them."""

    key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Key-encryption keys by id; new envelopes use the primary one."""

    primary: str
    keys: Mapping[str, bytes]

    def seal(self, plaintext: bytes, *, context: str) -> Envelope:
        """Encrypt under a fresh data key."""
        data_key = AESGCM.generate_key(bit_length=256)
        wrapping_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = AESGCM(self.keys[self.primary]).encrypt(wrapping_nonce, data_key, context.encode())
        ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, context.encode())
        return Envelope(self.primary, wrapping_nonce + wrapped, nonce, ciphertext)

    def open(self, envelope: Envelope, *, context: str) -> bytes:
        """Decrypt; raises EnvelopeUnreadable."""
        key = self.keys.get(envelope.key_id)
        if key is None:
            raise EnvelopeUnreadable
        wrapping_nonce, wrapped = envelope.wrapped_key[:_NONCE_BYTES], envelope.wrapped_key[_NONCE_BYTES:]
        try:
            data_key = AESGCM(key).decrypt(wrapping_nonce, wrapped, context.encode())
            return AESGCM(data_key).decrypt(envelope.nonce, envelope.ciphertext, context.encode())
        except (InvalidTag, ValueError):  # the latter for a part that was cut short
            raise EnvelopeUnreadable from None

    def fingerprint(self, data: bytes, *, key_id: str) -> bytes:
        """A keyed digest (HMAC-SHA-256): what a patient wrote could be guessed from a plain one."""
        key = self.keys.get(key_id)
        if key is None:
            raise EnvelopeUnreadable
        return hmac.digest(hmac.digest(key, b"fingerprint", "sha256"), data, "sha256")


def load_keyring(path: Path) -> Keyring:
    """Read a key ring: `{"primary": "<id>", "keys": {"<id>": "<32 bytes in base64>"}}`; raises KeyringInvalid."""
    try:
        content = json.loads(path.read_text())
        keys = {key_id: base64.b64decode(key, validate=True) for key_id, key in content["keys"].items()}
        primary = content["primary"]
        fits = primary in keys and all(_key_id(key) == key_id for key_id, key in keys.items())
    except FileNotFoundError:
        raise KeyringInvalid(f"there is no key ring at {path}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise KeyringInvalid(f"{path} is not a key ring") from None
    if not fits:
        raise KeyringInvalid(f"{path} is not a key ring: a key and its id do not belong together")
    return Keyring(primary, keys)


def make_keyring(path: Path) -> Keyring:
    """Write a new key ring that only this user can read; one that another process wrote meanwhile wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(_KEY_BYTES)
    content = {"primary": _key_id(key), "keys": {_key_id(key): base64.b64encode(key).decode()}}
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        # A link is made whole or not at all, and never over an existing name.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return load_keyring(path)


def _key_id(key: bytes) -> str:
    # Made from the key, so that a ring whose entries were mixed up is noticed when it is read.
    if len(key) != _KEY_BYTES:
        raise ValueError
    return hashlib.sha256(b"carepath key id" + key).hexdigest()[:12]
