"""Links that open a preview for a while.

A token is the draft and the link's end, authenticated with a key that is derived from the key ring: nothing is stored.
It holds while the ring has the key that it was made with.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from app.core.crypto import Keyring
from app.core.keyring_file import derive

_PURPOSE: Final = "preview link"
_ID_BYTES: Final = 16
_END_BYTES: Final = 6
_DIGEST_BYTES: Final = 32
# A whole number of times three bytes: a token has one spelling.
_TOKEN: Final = re.compile(rf"[A-Za-z0-9_-]{{{(_ID_BYTES + _END_BYTES + _DIGEST_BYTES) * 4 // 3}}}")


@dataclass(frozen=True, slots=True)
class PreviewLink:
    """What a token says."""

    draft_id: UUID
    # In whole seconds.
    expires_at: datetime


def token_of(link: PreviewLink, keyring: Keyring) -> str:
    """The token that says this, under the ring's primary key."""
    said = link.draft_id.bytes + int(link.expires_at.timestamp()).to_bytes(_END_BYTES)
    return base64.urlsafe_b64encode(said + _digest(keyring.keys[keyring.primary], said)).decode()


def link_in(token: str, keyring: Keyring) -> PreviewLink | None:
    """What a token says, over or not; None unless a key of the ring vouches for it."""
    if not _TOKEN.fullmatch(token):
        return None
    content = base64.urlsafe_b64decode(token)
    said, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    # All of them are tried, so that the time tells nothing.
    fits = [hmac.compare_digest(_digest(key, said), digest) for key in keyring.keys.values()]
    if not any(fits):
        return None
    return PreviewLink(UUID(bytes=said[:_ID_BYTES]), datetime.fromtimestamp(int.from_bytes(said[_ID_BYTES:]), UTC))


def _digest(key: bytes, said: bytes) -> bytes:
    return hmac.digest(derive(key, _PURPOSE), said, "sha256")
