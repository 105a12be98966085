from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.annotations.layer import CATS, ENTS, Layer
from glossator.config.overrides import parse_override
from glossator.config.schema import DataConfig, HeadConfig, PipelineConfig, StageConfig, TrainingConfig
from glossator.config.sections import config_from_dict
from glossator.config.text import config_to_text, parse_config, read_config
from glossator.errors import ConfigError

WHOLE = """
[glossator]
lang = "en"
heads = ["ner", "topic"]            # what annotates, in this order
seed = 0

[tokenizer]
stage = "spacy"
sentences = "rules"

[embedders.words]
stage = "vectors"
path = "vectors/minilm-128"

[taggers.ner]
stage = "bilstm-crf"
write = "ents"
vectors = ["words"]
width = 128

[classifiers.topic]
stage = "linear"
widths = [3,4,5]

[data.ner]
corpus = "uner_ewt"
[data.topic]
train = "my/train.csv"
dev = "my/dev.csv"

[training]
max_epochs = 30
patience = 5
batch_words = 1500
"""

NAMES = st.text("abcXYZ019_-éß", min_size=1, max_size=8).filter(lambda name: name[0] != "-")
# "${" is thinc's own: it stands for another value of the file.
STRINGS = st.text(st.characters(codec="utf-8"), max_size=12).filter(lambda text: "${" not in text)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | STRINGS,
    lambda values: st.lists(values, max_size=3),
    max_leaves=5,
)
RESERVED = {"stage", "write", "vectors", "tune", "prefix"}
SETTING_NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True).filter(
    lambda name: name not in RESERVED
)
SETTINGS = st.dictionaries(
    SETTING_NAMES, VALUES | st.dictionaries(SETTING_NAMES, VALUES, min_size=1), max_size=3
)
LAYERS = st.sampled_from(["ents", "tag", "pos"]) | NAMES.map(lambda key: f"spans:{key}")


def config(text: str, **overrides) -> PipelineConfig:
    return parse_config(text, folder=Path("there"), overrides=overrides)


def sections(**changes) -> dict:
    return {"glossator": {"lang": "en"}, **changes}


def refusal(**changes) -> str:
    with pytest.raises(ConfigError) as caught:
        config_from_dict(sections(**changes))
    return str(caught.value)


@st.composite
def configs(draw: st.DrawFn) -> PipelineConfig:
    embedders = draw(
        st.dictionaries(NAMES, st.builds(StageConfig, stage=NAMES, settings=SETTINGS), max_size=2)
    )
    heads = tuple(
        draw(_head(name, sorted(embedders))) for name in draw(st.lists(NAMES, max_size=3, unique=True))
    )
    data = st.builds(
        DataConfig,
        corpus=STRINGS,
        train=STRINGS,
        dev=STRINGS,
        test=STRINGS,
        format=STRINGS,
        encoding=STRINGS,
        options=st.dictionaries(SETTING_NAMES, VALUES, max_size=2),
    )
    some = draw(st.lists(st.sampled_from([head.name for head in heads]), unique=True)) if heads else []
    top = {"lang", "name", "version", "licence", "heads", "stages", "seed"}
    return PipelineConfig(
        lang=draw(STRINGS),
        name=draw(STRINGS),
        version=draw(STRINGS),
        licence=draw(STRINGS),
        seed=draw(st.integers(0, 2**60)),
        tokenizer=StageConfig(
            stage=draw(NAMES),
            settings={name: value for name, value in draw(SETTINGS).items() if name not in top},
        ),
        embedders=embedders,
        heads=heads,
        data={name: draw(data) for name in some},
        training=TrainingConfig(
            max_epochs=draw(st.integers(1, 99)),
            patience=draw(st.integers(1, 99)),
            batch_words=draw(st.integers(1, 9999)),
        ),
        folder=Path("there"),
    )


@st.composite
def _head(draw: st.DrawFn, name: str, embedders: list[str]) -> HeadConfig:
    vectors = tuple(draw(st.lists(st.sampled_from(embedders), unique=True))) if embedders else ()
    values = {
        "name": name,
        "stage": draw(NAMES),
        "vectors": vectors,
        "tune": bool(vectors) and draw(st.booleans()),
        "settings": draw(SETTINGS),
    }
    if draw(st.booleans()):
        return HeadConfig(kind="tagger", layer=Layer.parse(draw(LAYERS)), **values)
    return HeadConfig(kind="classifier", layer=CATS, prefix=draw(STRINGS), **values)


@settings(deadline=None)
@given(configs())
def test_a_config_written_and_read_again_is_the_same(given_config):
    text = config_to_text(given_config)
    again = parse_config(text, folder=Path("there"))
    assert again == given_config
    assert config_to_text(again) == text


def test_the_design_s_example_means_what_it_says():
    read = config(WHOLE)
    assert [head.name for head in read.heads] == ["ner", "topic"]
    ner, topic = read.heads
    assert (ner.kind, ner.stage, ner.layer, ner.vectors) == ("tagger", "bilstm-crf", ENTS, ("words",))
    assert ner.settings == {"width": 128}
    assert (topic.kind, topic.layer, topic.settings) == ("classifier", CATS, {"widths": [3, 4, 5]})
    assert read.embedders == {"words": StageConfig(stage="vectors", settings={"path": "vectors/minilm-128"})}
    assert read.tokenizer == StageConfig(stage="spacy", settings={"sentences": "rules"})
    assert read.data["ner"] == DataConfig(corpus="uner_ewt")
    assert read.data["topic"] == DataConfig(train="my/train.csv", dev="my/dev.csv")
    assert read.training == TrainingConfig(max_epochs=30, patience=5, batch_words=1500)
    assert read.folder == Path("there")


def test_heads_are_ordered_whatever_the_sections_order():
    text = WHOLE.replace('["ner", "topic"]', '["topic", "ner"]')
    assert [head.name for head in config(text).heads] == ["topic", "ner"]


def test_parents_of_sections_need_not_be_spelt_out():
    read = config('[glossator]\nlang = "en"\n[taggers.a]\nstage = "x"\n[taggers.a.inner.most]\nk = 1\n')
    assert read.heads[0].settings == {"inner": {"most": {"k": 1}}}
    spelt_out = '[glossator]\nlang = "en"\n[taggers]\n[taggers.a]\nstage = "x"\n'
    assert config(spelt_out).heads[0].name == "a"


def test_a_section_stands_before_those_inside_it():
    with pytest.raises(ConfigError, match="section 'a' must stand before the sections inside it"):
        config('[glossator]\nlang = "en"\n[taggers.a.b]\nk = 1\n[taggers.a]\nstage = "x"\n')


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("k = 1  # one", 1),
        ('k = "a # b"  # c', "a # b"),
        ('k = ["x","#"]\t#"', ["x", "#"]),
        (r'k = "\" # " # x', '" # '),
        ("k = a#b", "a#b"),
        ("# k = 2\nk = 1", 1),
        ("k = [1,  # one\n     2]", [1, 2]),
    ],
)
def test_comments_may_follow_values(line, value):
    read = config(f'[glossator]\nlang = "en"\n[tokenizer]\n{line}\n')
    assert read.tokenizer.settings == {"k": value}


def test_overrides_change_add_and_make_sections():
    read = config(
        WHOLE,
        **{
            "training.max_epochs": 3,
            "taggers.ner.depth": 2,
            "data.topic.options.columns": [1],
            "tokenizer.k": {},
        },
    )
    assert read.training == replace(TrainingConfig(), max_epochs=3)
    assert read.heads[0].settings == {"width": 128, "depth": 2}
    assert read.data["topic"].options == {"columns": [1]}
    assert read.tokenizer.settings == {"sentences": "rules", "k": {}}


def test_an_override_through_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"taggers\.ner\.width\.more.*'width' is a value, not a section"):
        config(WHOLE, **{"taggers.ner.width.more": 1})


def test_an_override_begins_with_its_section():
    with pytest.raises(
        ConfigError, match=r"--set max_epochs: begin with the section, as in training\.max_epochs"
    ):
        config(WHOLE, max_epochs=3)


@given(st.from_regex(r"[a-z]+(\.[a-z]+)*", fullmatch=True), VALUES)
def test_an_override_is_json(name, value):
    assert parse_override(f"{name}={json.dumps(value)}") == (name, value)


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False), ("true", True)])
def test_an_override_is_true_or_false_as_in_a_file(text, value):
    assert parse_override(f"classifiers.topic.bag={text}") == ("classifiers.topic.bag", value)
    config = f'[glossator]\nlang = "en"\n\n[classifiers.topic]\nstage = "x"\nexclusive = {text}\n'
    assert parse_config(config, folder=Path("there")).heads[0].settings == {"exclusive": value}


def test_an_override_that_is_no_json_is_a_string():
    assert parse_override("data.ner.train=my/file=1.conll") == ("data.ner.train", "my/file=1.conll")
    for text in ("no equals sign", "=3"):
        with pytest.raises(ConfigError, match=r"SECTION\.NAME=VALUE"):
            parse_override(text)


def test_a_file_is_read_and_its_folder_kept(tmp_path):
    file = tmp_path / "a.cfg"
    file.write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())
    read = read_config(file, {"glossator.seed": 7})
    assert (read.seed, read.folder) == (7, tmp_path)


def test_files_that_are_no_configs_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.cfg: cannot read the config: No such file"):
        read_config(tmp_path / "missing.cfg")
    latin = tmp_path / "latin.cfg"
    latin.write_bytes(b'[glossator]\nname = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin\.cfg: the config is not UTF-8"):
        read_config(latin)
    broken = tmp_path / "broken.cfg"
    for text in (
        "lang = 1",
        "[glossator]\nlang",
        "[glossator]\nlang = ${no.such}",
        "[a]\n[a]\n",
        '[a]\nb = {"c"\n',
    ):
        broken.write_text(text)
        with pytest.raises(ConfigError, match=r"broken\.cfg: "):
            read_config(broken)
    broken.write_text('[glossator]\nlang = "en"\ncolour = 1')
    with pytest.raises(
        ConfigError,
        match=r"broken\.cfg: \[glossator\] has no setting 'colour'; valid settings: heads, lang, ",
    ):
        read_config(broken)


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "a\\b", "", ".hidden", "a b", "-x", "a.b", "a\n"])
@pytest.mark.parametrize("section", ["taggers", "classifiers", "embedders"])
def test_names_stay_in_the_folder(section, name):
    assert "a name consists of letters" in refusal(**{section: {name: {"stage": "x"}}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"glossator": {}}, '[glossator] needs lang, a spaCy language code such as lang = "en"'),
        ({"glossator": 3}, "glossator must be a section, [glossator]"),
        ({"glossator": {"lang": "en", "seed": 1.5}}, "[glossator] seed must be a whole number, not 1.5"),
        ({"glossator": {"lang": "en", "seed": True}}, "[glossator] seed must be a whole number, not True"),
        ({"glossator": {"lang": "en", "seed": -1}}, "[glossator] seed must be at least 0, not -1"),
        ({"glossator": {"lang": "en", "heads": "ner"}}, "[glossator] heads: give a list of names"),
        ({"glossator": {"lang": "en", "stages": 3}}, "[glossator] heads: give a list of names"),
        (
            {"glossator": {"lang": "en", "heads": ["ner", 3]}},
            "must name each tagger and classifier once: []",
        ),
        (
            {"tagger": {}},
            "the config has no section 'tagger'; valid sections: classifiers, data, embedders, glossator, ",
        ),
        ({"tokenizer": {"lang": "de"}}, "[tokenizer] has no setting 'lang': it belongs in [glossator]"),
        ({"tokenizer": {"stage": 3}}, "[tokenizer] needs stage, the name of a stage"),
        ({"taggers": {"ner": {"write": "ents"}}}, "[taggers.ner] needs stage, the name of a stage"),
        ({"taggers": {"ner": "crf"}}, "[taggers.ner] needs stage"),
        (
            {"taggers": {"ner": {"stage": "x", "write": "lemma"}}},
            "[taggers.ner] write = 'lemma': a tagger writes",
        ),
        ({"taggers": {"ner": {"stage": "x", "write": "spans:"}}}, "[taggers.ner] write = 'spans:'"),
        (
            {"taggers": {"ner": {"stage": "x", "vectors": "w"}}},
            "[taggers.ner] vectors: give a list of embedders",
        ),
        ({"taggers": {"ner": {"stage": "x", "vectors": ["w"]}}}, "no embedder 'w' (embedders: none)"),
        ({"taggers": {"ner": {"stage": "x", "tune": True}}}, "[taggers.ner] tune = true needs vectors"),
        ({"taggers": {"ner": {"stage": "x", "tune": "False"}}}, "[taggers.ner] tune must be true or false"),
        ({"taggers": {"a": {"stage": "x"}}, "classifiers": {"a": {"stage": "x"}}}, "'a' names both"),
        ({"data": {"ner": {"train": "x"}}}, "[data.ner] belongs to no tagger or classifier of that name"),
        (
            {"data": {"ner": {"trian": "x"}}},
            "[data.ner] has no setting 'trian'; valid settings: corpus, dev, encoding, ",
        ),
        ({"data": {"ner": {"train": 3}}}, "[data.ner] train must be a string, not 3"),
        ({"data": {"ner": {"options": []}}}, "[data.ner] options must be a section, [data.ner.options]"),
        ({"data": {"ner": "x"}}, "[data.ner] must be a section"),
        ({"training": {"patience": 0}}, "[training] patience must be at least 1"),
        ({"training": {"max_epochs": "9"}}, "[training] max_epochs must be a whole number, not '9'"),
        (
            {"training": {"epochs": 3}},
            "[training] has no setting 'epochs'; valid settings: batch_words, max_epochs, patience",
        ),
    ],
)
def test_errors_name_the_section_and_what_to_do(changes, message):
    assert message in refusal(**changes)


def test_heads_must_name_each_head_once():
    heads = {"a": {"stage": "x"}, "b": {"stage": "x"}}
    for order in (["a"], ["a", "b", "b"], ["a", "c"], []):
        message = refusal(glossator={"lang": "en", "heads": order}, taggers=heads)
        assert "must name each tagger and classifier once: ['a', 'b']" in message


def test_the_key_stages_of_older_configs_is_read_as_heads():
    older = WHOLE.replace("heads =", "stages =")
    assert older != WHOLE
    assert parse_config(older, folder=Path()) == parse_config(WHOLE, folder=Path())
    assert 'heads = ["ner", "topic"]' in config_to_text(parse_config(older, folder=Path()))
    assert "stages" not in config_to_text(parse_config(older, folder=Path()))


def test_heads_and_stages_together_are_refused():
    both = {"lang": "en", "heads": ["a"], "stages": ["a"]}
    message = refusal(glossator=both, taggers={"a": {"stage": "x"}})
    assert "[glossator] has both heads and stages" in message
