from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from glossator.annotations.gold import GoldSpan
from glossator.annotations.overlaps import longest_first, without_overlaps

SPANS = st.lists(
    st.builds(lambda start, size: GoldSpan(start, start + size, "A"), st.integers(0, 12), st.integers(1, 5))
)


def test_the_longer_span_wins_and_then_the_first():
    spans = [GoldSpan(4, 5, "C"), GoldSpan(1, 3, "B"), GoldSpan(0, 2, "A")]
    assert without_overlaps(spans) == [GoldSpan(0, 2, "A"), GoldSpan(4, 5, "C")]


def test_of_equal_spans_the_one_given_first_wins():
    assert without_overlaps([GoldSpan(0, 2, "Z"), GoldSpan(0, 2, "A")]) == [GoldSpan(0, 2, "Z")]


def test_taken_tokens_are_not_taken_again():
    assert without_overlaps([GoldSpan(0, 2, "A"), GoldSpan(2, 3, "B")], taken=[GoldSpan(1, 2, "")]) == [
        (2, 3, "B")
    ]


@given(SPANS)
def test_every_span_is_kept_or_has_a_kept_rival_that_is_preferred(spans):
    rejected = []
    kept = without_overlaps(spans, on_rejected=lambda *pair: rejected.append(pair))
    assert sorted([*kept, *(span for span, _ in rejected)]) == sorted(spans)
    assert all(one.end <= other.start for one, other in pairwise(kept))
    for span, rival in rejected:
        assert rival in kept
        assert longest_first(rival) <= longest_first(span)
        assert rival.start < span.end
        assert span.start < rival.end
