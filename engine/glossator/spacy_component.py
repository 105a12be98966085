"""Glossator's stages as components of a spaCy pipeline: trained by `nlp.update` and `spacy train`.

    nlp = spacy.blank("en")
    nlp.add_pipe("glossator", name="ner", config={"stage": "crf", "write": "ents"})

spaCy imports this module whenever it makes a pipeline, so it must be fast to import.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.language import Language

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import Vectors

CONFIG = {"stage": "crf", "kind": "tagger", "write": "ents", "seed": 0, "settings": {}}
# `spacy train` selects by those of these scores that the component has; set `spans_KEY_f` yourself.
SCORES: dict[str, float | None] = {"ents_f": 1.0, "tag_acc": 1.0, "pos_acc": 1.0, "cats_score": 1.0}


@Language.factory("glossator", default_config=CONFIG, default_score_weights=SCORES)
def make_component(
    nlp: Language, name: str, stage: str, kind: str, write: str, seed: int, settings: dict[str, Any]
) -> StageComponent:
    """Make the component `glossator`: one tagger or classifier, without vectors.

    Example:
        nlp.add_pipe("glossator", name="pos", config={"stage": "crf", "write": "pos"})

    Args:
        nlp: The spaCy pipeline.
        name: The component's name, also the key of its scores in `doc.spans`.
        stage: A stage's name, "crf" or "plugin/name".
        kind: "tagger" or "classifier".
        write: For taggers, "ents", "spans:KEY", "tag" or "pos".
        seed: The seed of all randomness in training.
        settings: The stage's settings.
    """
    return StageComponent(str(nlp.lang), name, stage, kind, write=write, seed=seed, settings=settings)


class StageComponent:
    """One head of a Glossator pipeline with the interface of a trainable spaCy component.

    Example:
        nlp = spacy.blank("en")
        ner = nlp.add_pipe("glossator", name="ner", config={"stage": "crf", "write": "ents"})
        nlp.initialize(lambda: examples)
        nlp.update(examples)
    """

    model = None  # spaCy reads it: None means that there is no thinc model for spaCy to train
    is_trainable = True

    def __init__(
        self, lang: str, name: str, stage: str, kind: str, *, write: str, seed: int, settings: dict[str, Any]
    ) -> None:
        from glossator.errors import ConfigError
        from glossator.pipeline.pipeline import Pipeline
        from glossator.stages import Updatable

        self.name = name
        self.seed = seed
        self.pipeline = Pipeline(lang, name=name)
        if kind == "tagger":
            self.pipeline.add_tagger(name, stage, write=write, **settings)
        elif kind == "classifier":
            self.pipeline.add_classifier(name, stage, **settings)
        else:
            raise ConfigError(f"kind = {kind!r}: use 'tagger' or 'classifier'")
        self.head = self.pipeline.heads[name]
        if not isinstance(self.head.stage, Updatable):
            raise ConfigError(f"{self.head} does not learn in steps, which is how spaCy trains")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the trained stage."""
        return self.head.labels

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Collect labels and initialize the weights; files in settings are relative to the working folder."""
        self.pipeline.prepare()
        space = self.pipeline.vector_space(self.head.config)
        self.head.stage.initialize(list(get_examples()), space, seed=self.seed)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Any = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Take one step. The stage has its own dropout and optimizer: `drop` and `sgd` are not used."""
        batch = list(examples)
        loss = self.head.stage.update(batch, self._vectors([example.predicted for example in batch]))
        losses = {} if losses is None else losses
        losses[self.name] = losses.get(self.name, 0.0) + loss
        return losses

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one Doc."""
        self.pipeline.annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of Docs."""
        from spacy.util import minibatch

        for batch in minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
            self.pipeline.annotate(batch)
            yield from batch

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score annotated examples under spaCy's names."""
        from glossator.evaluation.scores import score_layer

        head = self.head
        exclusive = getattr(head.stage, "exclusive", True)
        return score_layer(list(examples), head.config.layer, labels=head.labels, exclusive=exclusive)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the stage."""
        from glossator.pipeline.folder import write_stage

        folder = Path(path)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_stage(self.head.stage, folder)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> StageComponent:
        """Load the stage."""
        self.head.stage.from_disk(Path(path))
        return self

    def _vectors(self, docs: list[Doc]) -> Vectors:
        return self.pipeline.vectors(self.head.config, docs)
