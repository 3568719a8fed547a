"""Turns measured samples into the Markdown that a reader compares, and says which floors are met."""

import statistics
from collections import Counter
from collections.abc import Iterator

from tests.bench.load import Sample
from tests.bench.rounds import CAREPATH, CONSTANT, CONTENDERS, PAGE, SLOT_LIST, THINGS, TUTORIAL, Figures

PAGE_FLOOR = 0.15
SLOT_LIST_FLOOR = 1.0
# Above this share of a core the generator may be what was measured.
BUSY_LIMIT = 0.9


def write_report(title: str, figures: Figures) -> str:
    """Write the table of one database, its floors, and what makes the figures doubtful."""
    lines = [
        f"## {title}",
        "",
        "| | " + " | ".join(CONTENDERS) + " | tutorial / constant | Carepath / constant | Carepath / tutorial |",
        "|---|" + "---:|" * (len(CONTENDERS) + 3),
        *(line for thing in THINGS for line in thing_rows(thing, figures)),
        cost_row("start-up, s", {name: statistics.median(figures.start_seconds[name]) for name in CONTENDERS}, ".2f"),
        cost_row("memory after load, MB", figures.resident_megabytes, ".0f"),
        "",
        f"Carepath's first start, which makes the tables and the content: {figures.first_start_seconds:.2f} s.",
        "",
        floor_line("page, Carepath / constant bytes", ratio(figures, PAGE, CAREPATH, CONSTANT), PAGE_FLOOR),
        floor_line("slot list, Carepath / tutorial", ratio(figures, SLOT_LIST, CAREPATH, TUTORIAL), SLOT_LIST_FLOOR),
        f"- load generator: at most {max(map(busiest, figures.samples.values())):.0%} of a core",
        *doubts(figures),
    ]
    return "\n".join(lines) + "\n"


def thing_rows(thing: str, figures: Figures) -> Iterator[str]:
    """Write what one thing was served at: requests per second with the ratios, and the 99th percentile."""
    rates = [f"{median_rate(figures.samples[name, thing]):,.0f}" for name in CONTENDERS]
    ratios = [
        f"{ratio(figures, thing, one, other):.3f}"
        for one, other in ((TUTORIAL, CONSTANT), (CAREPATH, CONSTANT), (CAREPATH, TUTORIAL))
    ]
    yield f"| {thing}, requests/s | " + " | ".join(rates + ratios) + " |"
    tails = [statistics.median(sample.p99_ms for sample in figures.samples[name, thing]) for name in CONTENDERS]
    yield f"| {thing}, p99 ms | " + " | ".join(f"{tail:.1f}" for tail in tails) + " | | | |"


def cost_row(title: str, costs: dict[str, float], form: str) -> str:
    """Write a row that no ratio belongs to."""
    return f"| {title} | " + " | ".join(format(costs[name], form) for name in CONTENDERS) + " | | | |"


def median_rate(samples: list[Sample]) -> float:
    """Take the middle round's requests per second."""
    return statistics.median(sample.requests_per_second for sample in samples)


def ratio(figures: Figures, thing: str, one: str, other: str) -> float:
    """Compare within each round, then take the middle: a slow minute slows both sides of its round."""
    rounds = zip(figures.samples[one, thing], figures.samples[other, thing], strict=True)
    return statistics.median(
        ours.requests_per_second / theirs.requests_per_second if theirs.requests_per_second else float("nan")
        for ours, theirs in rounds
    )


def floor_line(title: str, reached: float, floor: float) -> str:
    """Say whether a floor is met."""
    return f"- {'met' if reached >= floor else 'NOT MET'}: {title} {reached:.3f}, floor {floor:.2f}"


def doubts(figures: Figures) -> Iterator[str]:
    """Name what makes a figure worthless or doubtful: unexpected answers, a generator without air."""
    for (name, thing), counts in unexpected_answers(figures).items():
        told = ", ".join(f"{count} x {answer}" for answer, count in sorted(counts.items()))
        yield f"- WORTHLESS: {name}, {thing}: unexpected answers ({told})"
    for (name, thing), samples in figures.samples.items():
        if busiest(samples) > BUSY_LIMIT:
            yield f"- doubtful: {name}, {thing}: the load generator used {busiest(samples):.0%} of a core"


def busiest(samples: list[Sample]) -> float:
    """Find the share of a core that the load generator used in the round that asked most of it."""
    return max(sample.busy for sample in samples)


def unexpected_answers(figures: Figures) -> dict[tuple[str, str], Counter[str]]:
    """Count the answers that were not what was asked for, of those contenders and things that have any."""
    counted = {
        place: sum((Counter(sample.unexpected) for sample in samples), Counter[str]())
        for place, samples in figures.samples.items()
    }
    return {place: counts for place, counts in counted.items() if counts}
