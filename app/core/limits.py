"""Rate limits, in the memory of one process. Several nodes that need one limit put it into their proxy."""

import ipaddress
import math

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from app.core import clock


class Limiter:
    """So many requests a minute for each client."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def wait(self, client: str) -> int | None:
        """Count a request: None when it may go on, else the seconds to wait."""
        if self._window.hit(self._limit, client):
            return None
        until = self._window.get_window_stats(self._limit, client).reset_time
        return max(1, math.ceil(until - clock.now().timestamp()))


def address_of(host: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network that one customer has of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
