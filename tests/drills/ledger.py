"""What a storm's processes were told, on files that outlive them: one line for each attempt, before and after it.

begun <key> <held|booked> <slot>                              a request that must not happen twice was sent
made <key> <digest of the answer> <reference> <version> <state> <slot>
step <reference> <version> <state>                            a booking's change was acknowledged
told <kind> <code>                                            how an attempt ended, each attempt once
void <key> <held|booked> <slot>                               it was refused, and left nothing
fault <words>                                                 what must never happen
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


class Pen:
    """Appends to the ledger of one process. What was written outlives a kill: the kernel has it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *lines: tuple[object, ...]) -> None:
        """Append these lines."""
        os.write(self._file, "".join(f"{chr(9).join(map(str, line))}\n" for line in lines).encode())


@dataclass
class Ledger:
    """Everything that was written."""

    # By key and request (`held` or `booked`, and the slot), the digests of the answers that came.
    made: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    # Keys and requests that were begun and never answered, not even by a refusal.
    unanswered: set[tuple[str, str, str]] = field(default_factory=set)
    # Each acknowledged step: reference, version, state.
    steps: set[tuple[str, int, str]] = field(default_factory=set)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many attempts came to an end."""
        return self.told.total()


def read(paths: Iterable[Path]) -> Ledger:
    """Read these ledgers. A last line that a kill cut short says nothing."""
    ledger = Ledger()
    for path in paths:
        waiting: Counter[tuple[str, str, str]] = Counter()
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                _note(ledger, waiting, line[:-1].split("\t"))
        ledger.unanswered |= set(+waiting)
    ledger.unanswered -= ledger.made.keys()
    return ledger


def _note(ledger: Ledger, waiting: Counter[tuple[str, str, str]], line: list[str]) -> None:
    match line:
        case ["begun", key, state, slot]:
            waiting[key, state, slot] += 1
        case ["made", key, digest, reference, version, state, slot]:
            ledger.made.setdefault((key, state, slot), set()).add(digest)
            ledger.steps.add((reference, int(version), state))
            waiting[key, state, slot] -= 1
        case ["void", key, state, slot]:
            waiting[key, state, slot] -= 1
        case ["step", reference, version, state]:
            ledger.steps.add((reference, int(version), state))
        case ["told", kind, code]:
            ledger.told[kind, code] += 1
        case _:
            ledger.faults.append(" ".join(line))
