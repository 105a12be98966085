"""Settings of stages: one dataclass is the factory's signature, the check, and what is saved."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest

from glossator.errors import ConfigError
from glossator.hookspecs import Stage
from glossator.plugins.building import build
from glossator.stages import VectorSpace
from glossator_keras.bert.classifier import BertClassifierSettings
from glossator_keras.bert.tagger import BertTaggerSettings
from glossator_keras.models.bilstm_crf import BiLSTMCRFSettings, make_tagger
from glossator_keras.models.cnn import CNNSettings
from glossator_keras.models.lstm import LSTMSettings
from glossator_keras.settings import SettingsCheck, StageFactory

STAGES = {
    "glossator_keras.models.bilstm_crf:make_tagger": BiLSTMCRFSettings,
    "glossator_keras.models.cnn:make_classifier": CNNSettings,
    "glossator_keras.models.lstm:make_classifier": LSTMSettings,
    "glossator_keras.bert.tagger:make_tagger": BertTaggerSettings,
    "glossator_keras.bert.classifier:make_classifier": BertClassifierSettings,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Small:
    """Settings of a stage of one's own."""

    write: str = dataclasses.field(default="ents", kw_only=False)
    width: int = 8
    bag: bool = True
    rate: float = 0.5

    def __post_init__(self) -> None:
        check = SettingsCheck("small", self)
        check.width("width")
        check.share("rate")


def stage_of(factory, **settings):
    return build(Stage(name="small", factory=factory, summary="small"), settings, plugin="ours")


def test_a_factory_has_the_signature_of_its_settings():
    factory = StageFactory(Small, lambda settings: settings)
    assert inspect.signature(factory) == inspect.signature(Small)
    assert factory("tag", width=3) == Small("tag", width=3)
    assert factory.__doc__ == Small.__doc__


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widht": 3}, r"no setting 'widht' \(did you mean 'width'\?\); it accepts: bag, rate"),
        ({"width": "wide"}, "width must be a whole number, not 'wide'"),
        ({"bag": 1}, "bag must be true or false, not 1"),
        ({"rate": "fast"}, "rate must be a number, not 'fast'"),
        ({"width": 0}, "small: width must be a whole number, at least 1, not 0"),
        ({"rate": 1}, "small: rate must be from 0 to below 1, not 1"),
    ],
)
def test_the_engine_checks_settings_against_the_dataclass(settings, message):
    factory = StageFactory(Small, lambda settings: settings)
    assert stage_of(factory, width=3) == Small(width=3)
    with pytest.raises(ConfigError, match=message):
        stage_of(factory, **settings)


@pytest.mark.parametrize("reference", STAGES)
def test_every_stage_takes_the_fields_of_its_settings(reference):
    fields = {field.name for field in dataclasses.fields(STAGES[reference])}
    with pytest.raises(ConfigError) as caught:
        stage_of(reference, nonsense=1)
    accepted = str(caught.value).partition("it accepts: ")[2]
    assert {name.strip("' ") for name in accepted.split(",")} == fields
    documented = inspect.getdoc(STAGES[reference]) + inspect.getdoc(STAGES[reference].__mro__[1])
    assert [name for name in fields if f"    {name}: " not in documented] == []


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BiLSTMCRFSettings().width = 3


def test_a_setting_that_is_needed_is_named():
    with pytest.raises(ConfigError, match="needs the setting 'checkpoint'"):
        stage_of("glossator_keras.bert.tagger:make_tagger")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BiLSTMCRFSettings(scheme="bilou"), "bilstm-crf: scheme = 'bilou': use one of bio, bioes"),
        (lambda: CNNSettings(runtime="torch"), "cnn: runtime = 'torch': use one of onnx, keras"),
        (lambda: LSTMSettings(label_smoothing=1.0), "lstm: label_smoothing must be from 0 to below 1"),
        (
            lambda: BertClassifierSettings(checkpoint="any", pooling="max"),
            "bert: pooling = 'max': use one of",
        ),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_stage(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_is_saved_are_the_settings_of_the_network(school, tmp_path):
    pytest.importorskip("keras", reason="needs glossator[train]")
    stage = make_tagger("tag", width=4, depth=2, runtime="keras")
    stage.initialize(school.examples(5), VectorSpace(), seed=0)
    stage.to_disk(tmp_path)
    saved = json.loads((tmp_path / "tagger.json").read_text(encoding="utf-8"))["settings"]
    assert saved == dict(BiLSTMCRFSettings(width=4, depth=2).of_network)
    assert saved.keys() == {"cell", "width", "depth", "dropout", "decoder"}
