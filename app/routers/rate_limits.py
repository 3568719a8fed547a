"""How often somebody without a key may write."""

from fastapi import Depends, Request

from app.access.callers import KEY_PREFIXES
from app.access.errors import CredentialInvalid
from app.core.errors import RateLimited
from app.core.limits import Limiter, address_of
from app.routers.deps import caller_of, token_of


async def _limit_anonymous_writes(request: Request) -> None:
    state = request.app.state
    if not state.settings.rate_limits or await _has_key(request):
        return
    if not hasattr(state, "limiter"):
        state.limiter = Limiter(state.settings.anonymous_writes_per_minute)
    wait = state.limiter.wait(address_of(request.client.host if request.client else ""))
    if wait is not None:
        raise RateLimited(retry_after=wait)


async def _has_key(request: Request) -> bool:
    if not (token_of(request) or "").startswith(KEY_PREFIXES):
        return False
    try:
        await caller_of(request)
    except CredentialInvalid:
        return False
    return True


limited = Depends(_limit_anonymous_writes)
