"""What a caller can be refused for before any rule of a room is asked."""

from app.core.errors import Refusal


class CredentialInvalid(Refusal):
    """A valid credential is needed: send `Authorization: Bearer <key>`."""

    status = 401
    headers = ("WWW-Authenticate",)


class ScopeMissing(Refusal):
    """The credential is valid, but lacks the scope that this operation needs."""

    status = 403


class IdempotencyKeyInvalid(Refusal):
    """The `Idempotency-Key` header is missing or malformed: send 16 to 255 visible ASCII characters, such as a UUID."""

    status = 400


class IdempotencyKeyReused(Refusal):
    """This `Idempotency-Key` was used for another request; use a new one."""

    status = 422


class RequestInProgress(Refusal):
    """The first request with this `Idempotency-Key` is still running; try again after `Retry-After` seconds."""

    status = 409
    headers = ("Retry-After",)

    def __init__(self) -> None:
        super().__init__(retry_after=1)
