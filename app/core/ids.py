"""Identifiers: row ids, references that a person can say over the phone, and secrets."""

import hashlib
import re
import secrets
from typing import Final
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

# Douglas Crockford's base 32: no I, L, O, U; the check symbol is the number modulo 37.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS: Final = 9
_AS_HEARD: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})
REFERENCE_PATTERN: Final = r"^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$"


def new_id() -> UUID:
    """A row's id: UUID version 7 (RFC 9562), so that new rows lie beside each other in an index. Not a secret."""
    return uuid7()


def new_request_id() -> str:
    """The id of a request: the hexadecimal digits of a UUID, in a fifth of the time that making the object takes."""
    return uuid_utils.uuid7().hex


def new_secret(prefix: str) -> str:
    """A bearer token of 256 random bits behind `prefix`."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a secret. 256 random bits need no slow hash (OWASP ASVS 11.4)."""
    return hashlib.sha256(secret.encode()).digest()


def new_reference() -> str:
    """A booking's reference, `7K3M9-QRT2N`: 45 random bits and Crockford's check symbol.

    The five check symbols outside the alphabet (`*~$=U`) would need escaping in a URL, so numbers that have one of
    them are not given out.
    """
    while True:
        number = secrets.randbits(5 * _DIGITS)
        if number % 37 < len(_ALPHABET):
            return _spell(number)


def parse_reference(said: str) -> str | None:
    """The reference as stored, from what a person typed or heard; None when the check symbol does not fit."""
    symbols = said.upper().translate(_AS_HEARD)
    if not re.fullmatch(f"[{_ALPHABET}]{{{_DIGITS + 1}}}", symbols):
        return None
    number = 0
    for symbol in symbols[:_DIGITS]:
        number = number * 32 + _ALPHABET.index(symbol)
    spelled = _spell(number) if number % 37 < len(_ALPHABET) else None
    return spelled if spelled is not None and spelled.replace("-", "") == symbols else None


def _spell(number: int) -> str:
    symbols = [_ALPHABET[number >> shift & 31] for shift in range(5 * (_DIGITS - 1), -1, -5)]
    symbols.append(_ALPHABET[number % 37])
    return "".join(symbols[:5]) + "-" + "".join(symbols[5:])
