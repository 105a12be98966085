from __future__ import annotations

import gc
from contextlib import contextmanager

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import get_lang_class

from glossator import Stage
from glossator.builtin import tokenizers
from glossator.builtin.tokenizers import SpacyTokenizer, WhitespaceTokenizer
from glossator.errors import ConfigError
from glossator.pipeline.pipeline import Pipeline

WHITESPACE = {rule: WhitespaceTokenizer("en", sentences=rule) for rule in ("lines", "none", "rules")}
SPACY = {rule: SpacyTokenizer("en", sentences=rule) for rule in ("lines", "none", "rules")}
# What str.isspace() and spaCy might see differently stands beside what nobody takes for space.
ODD = st.text(
    st.sampled_from("ab. \n\r\t\v\f\x00\x1c\x1f\x85\xa0\u200b\u2028\u2029\u3000\ufeff!"), max_size=25
)
TEXTS = st.text(max_size=40) | ODD
unhurried = settings(deadline=None)


def sentences(doc: Doc) -> list[str]:
    return [sentence.text for sentence in doc.sents]


@unhurried
@given(TEXTS, st.sampled_from(["lines", "none", "rules"]))
def test_white_space_tokenizer_keeps_any_text_and_splits_at_white_space_alone(text, rule):
    doc = WHITESPACE[rule](text)
    assert doc.text == text
    assert [token.text for token in doc if not token.is_space] == text.split()
    assert len(doc) == 0 or doc.has_annotation("SENT_START")


@unhurried
@given(TEXTS, st.sampled_from(["lines", "none", "rules"]))
def test_spacy_tokenizer_keeps_any_text_and_tokenizes_as_spacy_does(text, rule):
    doc = SPACY[rule](text)
    assert doc.text == text
    assert [token.text for token in doc] == [token.text for token in NLP.tokenizer(text)]


NLP = spacy.blank("en")
NLP.add_pipe("sentencizer")


@unhurried
@given(TEXTS | st.lists(st.sampled_from(["Yes.", "No!", "Dr.", "well", "\n", "?!", "。"])).map(" ".join))
def test_rules_are_spacy_s_own_sentencizer(text):
    assert [token.is_sent_start for token in SPACY["rules"](text)] == [
        token.is_sent_start for token in NLP(text)
    ]


@unhurried
@given(TEXTS | st.lists(st.sampled_from(["a b", "c.", "\n", "\n\n", " \n ", "\r\n", " "])).map("".join))
def test_lines_begin_a_sentence_at_the_first_word_after_a_break(text):
    for tokenizer in (SPACY["lines"], WHITESPACE["lines"]):
        doc = tokenizer(text)
        starts, fresh = [], True
        for token in doc:
            fresh = fresh or (token.is_space and "\n" in token.text)
            starts.append(token.i == 0 or (fresh and not token.is_space))
            fresh = fresh and token.is_space
        assert [token.is_sent_start for token in doc] == starts


def test_lines_in_an_example():
    doc = WhitespaceTokenizer("en")("One line. Still it.\n\n  Another\nand\tlast ")
    assert [s.strip() for s in sentences(doc)] == ["One line. Still it.", "Another", "and\tlast"]


@unhurried
@given(TEXTS)
def test_none_is_one_sentence(text):
    for tokenizer in (SPACY["none"], WHITESPACE["none"]):
        assert len(sentences(tokenizer(text))) == (1 if text else 0)


def test_a_text_longer_than_spacy_s_pipelines_take():
    text = "Mud and rain. " * 80_000
    assert len(text) > NLP.max_length
    assert len(SPACY["rules"](text)) == 4 * 80_000
    assert len(WHITESPACE["lines"](text)) == 3 * 80_000


@pytest.mark.parametrize(
    ("lang", "text", "words"), [("zh", "我爱你。", 4), ("xx", "Één woord", 2), ("de", "z.B. so", 2)]
)
def test_other_languages(lang, text, words):
    tokenizer = SpacyTokenizer(lang)
    doc = tokenizer(text)
    assert (doc.text, len(doc), doc.vocab.lang) == (text, words, lang)
    assert WhitespaceTokenizer(lang)(text).vocab.lang == lang
    with Pipeline(lang).memory_zone():
        assert tokenizer(text).text == text


@pytest.mark.parametrize("lang", ["tlh", "", "e/n", "../en"])
@pytest.mark.parametrize("make", [SpacyTokenizer, WhitespaceTokenizer])
def test_unknown_languages(make, lang):
    with pytest.raises(ConfigError, match=r"lang = "):
        make(lang)


def test_a_language_whose_tokenizer_is_not_installed():
    try:
        get_lang_class("ja")()
    except ImportError:
        with pytest.raises(ConfigError, match=r"lang = 'ja': .*(?i:sudachi)"):
            SpacyTokenizer("ja")
    else:
        pytest.skip("SudachiPy is installed")


def test_unknown_sentence_rules_are_refused_with_those_there_are():
    for make in (SpacyTokenizer, WhitespaceTokenizer):
        with pytest.raises(ConfigError, match=r"sentences = 'dots': use one of rules, lines, none"):
            make("en", sentences="dots")


@pytest.mark.parametrize("name", ["spacy", "whitespace"])
def test_few_words_are_kept_from_zone_to_zone(name):
    """What people write is mostly words met before: they are not forgotten as long as they are few."""
    pipeline = Pipeline("en", tokenizer=name)
    for zone in range(3):
        with pipeline.memory_zone():
            pipeline(f"Before it came word{zone} and Quorn{zone}.")
        assert all(f"word{met}" in pipeline.vocab.strings for met in range(zone + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spacy", "whitespace"])
def test_ever_new_words_do_not_pile_up(name, monkeypatch):
    def languages() -> int:
        return sum(isinstance(thing, Language) for thing in gc.get_objects())

    monkeypatch.setattr(tokenizers, "MOST_LEXEMES", 1_200)
    pipeline = Pipeline("en", tokenizer=name)
    gc.collect()  # languages of other tests, which would vanish while this one counts
    known, alive = len(pipeline.vocab), languages()
    sizes = []
    for zone in range(12):
        with pipeline.memory_zone():
            text = " ".join(f"w{zone}x{i}" for i in range(200))
            assert [token.text for token in pipeline(text)] == text.split()
        sizes.append(len(pipeline.vocab))
        assert languages() == alive
    assert max(sizes) <= 1_200
    assert sizes.count(known) >= 3


def test_words_are_forgotten_where_a_zone_ends_in_an_error(monkeypatch):
    monkeypatch.setattr(tokenizers, "MOST_LEXEMES", 0)
    pipeline = Pipeline("en")

    def stumble():
        with pipeline.memory_zone():
            pipeline("unheard-of")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert "unheard" not in pipeline.vocab.strings


def test_a_doc_outlives_the_vocab_s_renewal(monkeypatch):
    monkeypatch.setattr(tokenizers, "MOST_LEXEMES", 0)
    pipeline = Pipeline("en")
    with pipeline.memory_zone():
        doc = pipeline("Oxenholme was QUIET.")
    assert doc.vocab is not pipeline.vocab
    assert [(token.text, token.lower_, token.shape_) for token in doc][:3] == [
        ("Oxenholme", "oxenholme", "Xxxxx"),
        ("was", "was", "xxx"),
        ("QUIET", "quiet", "XXXX"),
    ]
    again = pipeline("Oxenholme was QUIET.")
    assert again.to_json() == doc.to_json()


class ZonedTokenizer:
    """A stranger's tokenizer that takes part in spaCy's memory zones, as spaCy lets one."""

    def __init__(self, lang: str) -> None:
        self.tokenize = spacy.blank(lang).tokenizer
        self.pools: list[object] = []

    def __call__(self, text: str) -> Doc:
        return self.tokenize(text)

    @contextmanager
    def memory_zone(self, pool):
        assert self.tokenize.vocab.in_memory_zone
        self.pools.append(pool)
        yield


@pytest.mark.parametrize("factory", [lambda lang: spacy.blank(lang).tokenizer, ZonedTokenizer])
def test_the_words_of_a_stranger_s_tokenizer_are_bounded_by_spacy_s_zones(factory):
    pipeline = Pipeline("en", tokenizer=Stage(name="strange", factory=factory))
    pipeline("Before it")
    known = len(pipeline.vocab.strings)
    for zone in range(3):
        with pipeline.memory_zone():
            doc = pipeline(f"Before it came word{zone} and Quorn{zone}.")
            assert doc.text == f"Before it came word{zone} and Quorn{zone}."
            assert f"word{zone}" in pipeline.vocab.strings
        assert f"word{zone}" not in pipeline.vocab.strings
    assert len(pipeline.vocab.strings) == known
    assert [token.lower_ for token in pipeline("Before THE zone word1")] == ["before", "the", "zone", "word1"]
    if factory is ZonedTokenizer:
        assert len(pipeline.tokenizer.pools) == 3
