from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.formats.shared.iob_tags import is_tag, spans_of, tags_of

LABELS = st.sampled_from(["PER", "creative-work", "B-side"])


@st.composite
def spans_without_overlap(draw: st.DrawFn) -> tuple[list[tuple[int, int, str]], int]:
    ends = sorted(draw(st.sets(st.integers(0, 30), max_size=12)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    spans = [(start, end, draw(LABELS)) for start, end in pairs]
    return spans, draw(st.integers(spans[-1][1] if spans else 0, 32))


@settings(deadline=None)
@given(spans_without_overlap(), st.sampled_from(["bio", "bioes", "bilou"]))
def test_every_scheme_spells_spans_that_are_read_back(case, scheme):
    spans, length = case
    tags = tags_of(spans, length, scheme)
    assert len(tags) == length
    assert all(is_tag(tag) for tag in tags)
    assert spans_of(tags) == spans


@settings(deadline=None)
@given(spans_without_overlap())
def test_adjacent_spans_of_one_label_stay_apart(case):
    spans, length = case
    touching = [(2 * i, 2 * i + 2, "PER") for i in range(len(spans))]
    assert spans_of(tags_of(touching, 2 * length)) == touching


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["I-PER", "I-PER", "O", "I-LOC"], [(0, 2, "PER"), (3, 4, "LOC")]),
        (["I-PER", "B-PER", "I-PER"], [(0, 1, "PER"), (1, 3, "PER")]),
        (["B-PER", "I-LOC", "I-LOC"], [(0, 1, "PER"), (1, 3, "LOC")]),
        (["S-PER", "I-PER", "E-PER", "I-PER"], [(0, 1, "PER"), (1, 3, "PER"), (3, 4, "PER")]),
        (["U-PER", "B-LOC", "L-LOC", "E-LOC"], [(0, 1, "PER"), (1, 3, "LOC"), (3, 4, "LOC")]),
        ([], []),
    ],
)
def test_schemes_may_be_mixed(tags, spans):
    assert spans_of(tags) == spans


@pytest.mark.parametrize("tag", ["FOO", "", "B-", "X-PER", "b-PER", "_", "-", "O-PER"])
def test_what_is_no_tag_is_refused(tag):
    assert not is_tag(tag)
    with pytest.raises(ValueError, match="is not a tag"):
        spans_of(["O", tag])


@pytest.mark.parametrize("spans", [[(0, 2, "A"), (1, 3, "B")], [(1, 1, "A")], [(2, 4, "A")], [(-1, 1, "A")]])
def test_spans_that_tags_cannot_tell_are_refused(spans):
    with pytest.raises(ValueError, match="the span"):
        tags_of(spans, 3)
