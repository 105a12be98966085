"""The `bert` tagger: fine-tuned, with a softmax or a CRF over the first piece of each word.

Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers", section 5.3; the CRF as in
Lample et al. 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from glossator_keras.bert.fine_tuning import FineTuningSettings, PretrainedBert
from glossator_keras.bert.heads import build_tagger
from glossator_keras.bert.word_piece_inputs import FirstPieceInputs
from glossator_keras.network import NetworkSettings
from glossator_keras.settings import SettingsCheck, StageFactory
from glossator_keras.tagger import KerasTagger, Scheme

Decoder = Literal["crf", "softmax"]


@dataclass(frozen=True, kw_only=True)
class BertTaggerSettings(FineTuningSettings):
    """The settings of the `bert` tagger, beside those of `FineTuningSettings`.

    Attributes:
        write: The layer to predict.
        decoder: "crf", or "softmax": each word by itself, but for the scheme's constraints.
        scheme: The labels that spans are spelt in.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        A tagger of entities, its lower layers frozen:

            tagger = make_tagger("ents", checkpoint="minilm", freeze=3)
            tagger.prepare(Path("configs"))
    """

    write: str = field(default="ents", kw_only=False)
    decoder: Decoder = "crf"
    scheme: Scheme = "bioes"

    def __post_init__(self) -> None:
        super().__post_init__()
        check = SettingsCheck("bert", self)
        check.choice("decoder", Decoder)
        check.choice("scheme", Scheme)

    @property
    def of_network(self) -> NetworkSettings:
        """The settings that the network is built from, and saved with."""
        return {"decoder": self.decoder, "freeze": self.freeze, "dropout": self.dropout}


def _build_stage(settings: BertTaggerSettings) -> KerasTagger:
    bert = PretrainedBert(settings.checkpoint, word_cases=True)
    return KerasTagger(
        build_tagger,
        FirstPieceInputs(bert),
        write=settings.write,
        scheme=settings.scheme,
        settings=settings.of_network,
        learn_rate=settings.head_learn_rate,  # of vectors that are tuned, which are no part of BERT
        runtime=settings.runtime,
        optimizer=settings.optimizer,
        pretrained=bert,
    )


make_tagger = StageFactory(BertTaggerSettings, _build_stage)
