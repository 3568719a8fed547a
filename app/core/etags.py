"""Entity tags (RFC 9110, section 8.8.3)."""

import hashlib
import re


def etag(version: int, body: bytes) -> str:
    """`"<version>-<digest of the representation>"`; the version is 0 for what has none, such as lists."""
    return f'"{version}-{hashlib.sha256(body).hexdigest()[:20]}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether a client that sent this `If-None-Match` has the representation already (weak comparison)."""
    sent = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in sent or tag in sent


def versions_of(if_match: str) -> frozenset[int] | None:
    """The versions that an `If-Match` names; None for `*`. What is no strong tag of ours matches nothing."""
    if if_match.strip() == "*":
        return None
    found = (re.fullmatch(r'"(\d{1,9})(-[0-9a-f]+)?"', tag.strip()) for tag in if_match.split(","))
    return frozenset(int(tag[1]) for tag in found if tag)
