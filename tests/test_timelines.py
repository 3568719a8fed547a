"""Spans of time that keep apart, against a checker that compares each with each."""

from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from app.consultations.timelines import Span, overlaps

HOLDERS = st.sampled_from([("a",), ("b",), ("x",), ("a", "x"), ("b", "x"), ()])
SPANS = st.lists(st.tuples(HOLDERS, st.integers(0, 30), st.integers(1, 10)), max_size=40)


def naive(spans: list[Span]) -> dict[int, set[tuple[int, Hashable]]]:
    """Each row that overlaps with an earlier one that stays: all of those, and whose time it is."""
    stay: list[Span] = []
    found: dict[int, set[tuple[int, Hashable]]] = {}
    for span in spans:
        others = {
            (other.row, holder)
            for other in stay
            for holder in {*other.holders} & {*span.holders}
            if other.start < span.end and span.start < other.end
        }
        if others:
            found[span.row] = others
        else:
            stay.append(span)
    return found


@given(SPANS)
def test_the_same_rows_are_found_as_by_comparing_each_with_each(drawn: list[tuple[tuple[str, ...], int, int]]) -> None:
    spans = [Span(holders, row, start, start + length) for row, (holders, start, length) in enumerate(drawn, start=1)]
    found = {row: (earlier, holder) for row, earlier, holder in overlaps(spans)}
    expected = naive(spans)
    assert set(found) == set(expected)
    assert all(by in expected[row] for row, by in found.items())


def test_spans_may_touch_and_others_time_does_not_matter() -> None:
    touching = [Span(("a",), 1, 0, 10), Span(("a",), 2, 10, 20), Span(("b",), 3, 5, 15), Span(("a",), 4, 20, 21)]
    assert list(overlaps(touching)) == []
    assert list(overlaps([*touching, Span(("c", "a"), 5, 19, 30)])) == [(5, 4, "a")]
