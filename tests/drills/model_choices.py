"""What the model's machine chooses from, so that little is chosen in vain."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from tests.drills.model_rules import Booking, Slot

_T = TypeVar("_T", Slot, Booking)
# Minutes: some less than a hold lasts, some more, and more than a key is remembered.
WAITS: Final = (1, 3, 5, 5, 30, 24 * 60, 72 * 60 + 1)
BEGINS: Final = (1, 40, 70, 90, 91, 2_000, 6_000)
CHANGES: Final = (("close", "closed"), ("open", "open"), ("open", "open"), ("open", "open"), ("cancel", "cancelled"))
ENDS: Final = (("fulfil", "fulfilled"), ("no-show", "no_show"))


def one_of(things: Sequence[_T], which: int, is_likely: Callable[[_T], bool]) -> _T:
    """One of the things, most often a likely one."""
    likely = [thing for thing in things if is_likely(thing)]
    chosen = likely if likely and which < 80 else things
    return chosen[which % len(chosen)]
