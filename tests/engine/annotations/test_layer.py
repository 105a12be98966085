from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from glossator.annotations.layer import CATS, ENTS, POS, TAG, Layer, layer_of_scores
from glossator.errors import ConfigError

KEYS = st.text(min_size=1)


@given(st.one_of(st.sampled_from([ENTS, TAG, POS, CATS]), KEYS.map(lambda key: Layer("spans", key))))
def test_a_layer_is_told_by_its_name(layer):
    assert Layer.parse(str(layer)) == layer
    assert layer.is_spans + layer.is_tags + layer.is_categories == 1


@pytest.mark.parametrize("name", ["", "spans", "spans:", "Ents", "lemma", "ents:x", "tag:"])
def test_other_names_are_of_no_layer(name):
    with pytest.raises(ConfigError, match="there is no layer"):
        Layer.parse(name)


@pytest.mark.parametrize(("kind", "key"), [("spans", ""), ("ents", "x"), ("nonsense", "")])
def test_a_key_belongs_to_spans_and_to_nothing_else(kind, key):
    with pytest.raises(ConfigError):
        Layer(kind, key)


@pytest.mark.parametrize("write", ["cats", "nonsense", "spans:"])
def test_a_tagger_writes_spans_or_tags(write):
    assert Layer.for_tagger("spans:k") == Layer("spans", "k")
    with pytest.raises(ConfigError, match=f"write = '{write}': a tagger writes"):
        Layer.for_tagger(write)


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        ((ENTS, "a"), (ENTS, "b"), set()),
        ((ENTS, "a"), (Layer("spans", "a"), "b"), {"doc.spans['a']"}),
        ((TAG, "a"), (TAG, "b"), {"token.tag_"}),
        ((TAG, "a"), (POS, "b"), set()),
        ((CATS, "a"), (CATS, "b"), set()),
    ],
)
def test_heads_may_not_write_to_the_same_place(one, two, shared):
    assert one[0].exclusive_targets(one[1]) & two[0].exclusive_targets(two[1]) == shared


def test_which_groups_hold_scores():
    doc = Doc(Vocab(), words=["a", "b"])
    groups = {
        name: SpanGroup(doc, name="g", attrs={"layer": name}, spans=[Span(doc, 0, 1, "X")])
        for name in ("ents", "tag", "spans:g", "somebody else's")
    }
    found = {name: layer_of_scores(group) for name, group in groups.items()}
    assert found == {"ents": ENTS, "tag": TAG, "spans:g": None, "somebody else's": None}
    assert layer_of_scores(SpanGroup(doc, name="own")) is None


def test_it_is_light_to_import():
    code = "import sys, glossator.annotations.layer; print({'spacy', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
