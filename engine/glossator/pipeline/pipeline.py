"""The pipeline: one tokenizer, then embedders, classifiers and taggers, composed by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from spacy.tokens import Doc

from glossator.annotations.doc_vectors import write_tensors
from glossator.annotations.layer import ENTS
from glossator.annotations.write import check_labels, clear_ents, write_prediction, write_provenance
from glossator.config.schema import HeadConfig, PipelineConfig, StageConfig
from glossator.config.sections import check_embedder, check_name, head_config
from glossator.errors import ConfigError, GlossatorError, StageError, UsageError
from glossator.hookspecs import Kind, Stage
from glossator.ml.batching import batch_by_words
from glossator.pipeline import folder, golden
from glossator.pipeline.batch import Batch
from glossator.pipeline.head import Head, check_labels_disjoint
from glossator.plugins.building import build
from glossator.plugins.declared import Plugin
from glossator.plugins.manager import PluginManager
from glossator.stages import Embedder, TableEmbedder, Tokenizer, Vectors, VectorSpace
from glossator.util.prefetch import prefetch_map

if TYPE_CHECKING:
    from spacy.vocab import Vocab

BATCH_WORDS = 20_000

_OWN = Plugin("(none)", "", "")  # of a stage that was given as a record and not by name


class Pipeline:
    """Annotates texts and Docs.

    Compose one in Python, read it from a config (`from_config`) or load a saved one
    (`glossator.load`):

        pipeline = Pipeline("en")
        pipeline.add_tagger("ner", "window", write="ents")

    Args:
        lang: spaCy's language code.
        tokenizer: The tokenizer stage; other keyword arguments are its settings.
        name: The pipeline's name, written to each Doc.
        version: The pipeline's version, written to each Doc.
        licence: The licence of what it has learned.
        seed: Where all randomness of its training starts.
        plugins: Where stages are looked up; by default all that are installed.

    Attributes:
        config: Its description, kept up to date by `add_...`.
        meta: What training found out, saved with it: dev scores, sums of the data.
        source: The folder it was loaded from, if it was.
    """

    def __init__(
        self,
        lang: str,
        *,
        tokenizer: str | Stage = "spacy",
        name: str = "pipeline",
        version: str = "0.0.0",
        licence: str = "",
        seed: int = 0,
        plugins: PluginManager | None = None,
        **tokenizer_settings: Any,
    ) -> None:
        self.plugins = plugins or PluginManager.from_environment()
        self.config = PipelineConfig(
            lang=lang,
            name=name,
            version=version,
            licence=licence,
            seed=seed,
            tokenizer=StageConfig(stage=_stage_name(tokenizer), settings=tokenizer_settings),
        )
        self.tokenizer: Tokenizer = self._build("tokenizer", tokenizer, {"lang": lang, **tokenizer_settings})[
            0
        ]
        self.embedders: dict[str, Embedder] = {}
        self.heads: dict[str, Head] = {}
        self.meta: dict[str, Any] = {}
        self.source: Path | None = None
        self._annotating = RLock()

    @classmethod
    def from_config(
        cls,
        config: PipelineConfig,
        *,
        plugins: PluginManager | None = None,
        only: Collection[str] = (),
        without: Collection[str] = (),
    ) -> Self:
        """Build a pipeline's stages, untrained; `only` and `without` choose among its heads."""
        heads = _chosen(config.heads, only, without)
        pipeline = cls(
            config.lang,
            tokenizer=config.tokenizer.stage,
            plugins=plugins,
            **config.tokenizer.settings,
        )
        for name, stage in config.embedders.items():
            if name == config.tensor or any(name in head.vectors for head in heads):
                pipeline.add_embedder(name, stage.stage, **stage.settings)
        for head in heads:
            pipeline._add_head(head, head.stage)
        pipeline.config = replace(
            config,
            embedders={name: config.embedders[name] for name in pipeline.embedders},
            heads=heads,
            data={head.name: config.data[head.name] for head in heads if head.name in config.data},
        )
        return pipeline

    def add_embedder(self, name: str, stage: str | Stage, **settings: Any) -> Self:
        """Add an embedder that heads can name in `vectors`."""
        if check_name(name, "embedders") in self.embedders:
            raise ConfigError(f"there is an embedder {name!r} already: choose another name")
        self.embedders[name] = self._build("embedder", stage, settings)[0]
        added = StageConfig(stage=_stage_name(stage), settings=settings)
        self.config = replace(self.config, embedders={**self.config.embedders, name: added})
        return self

    def add_tagger(
        self,
        name: str,
        stage: str | Stage,
        *,
        write: str = "ents",
        vectors: Sequence[str] = (),
        tune: bool = False,
        **settings: Any,
    ) -> Self:
        """Add a tagger that writes `ents`, `spans:KEY`, `tag` or `pos`.

        Args:
            name: Its name in this pipeline.
            stage: The stage, "name", "plugin/name" or a record of one's own.
            write: The layer it writes.
            vectors: Embedders whose vectors it gets.
            tune: Whether it trains its own copy of them.
            **settings: What its factory gets.
        """
        values = {"write": write, "vectors": list(vectors), "tune": tune, **settings}
        return self._add_head(head_config(name, "tagger", {"stage": _stage_name(stage), **values}), stage)

    def add_classifier(
        self,
        name: str,
        stage: str | Stage,
        *,
        prefix: str = "",
        vectors: Sequence[str] = (),
        tune: bool = False,
        **settings: Any,
    ) -> Self:
        """Add a classifier that writes `doc.cats`, each label behind `prefix`."""
        values = {"prefix": prefix, "vectors": list(vectors), "tune": tune, **settings}
        return self._add_head(head_config(name, "classifier", {"stage": _stage_name(stage), **values}), stage)

    def remove(self, name: str) -> None:
        """Take a head out."""
        _chosen(self.config.heads, (), (name,))
        del self.heads[name]
        heads = tuple(head for head in self.config.heads if head.name != name)
        data = {head: data for head, data in self.config.data.items() if head != name}
        self.config = replace(self.config, heads=heads, data=data)

    @property
    def tensor(self) -> str:
        """The embedder whose vectors go into `doc.tensor`, for `.vector` and `.similarity`; "" for none."""
        return self.config.tensor

    @tensor.setter
    def tensor(self, name: str) -> None:
        if name:
            check_embedder(name, self.embedders, "tensor")
        self.config = replace(self.config, tensor=name)

    @property
    def vocab(self) -> Vocab:
        """The vocab of every Doc the tokenizer makes."""
        return self.tokenizer("").vocab

    def __call__(self, text: str | Doc) -> Doc:
        """Annotate one text, or one Doc in place; raise `UsageError` for anything else."""
        doc = self._doc_of(text)
        self.annotate([doc])
        return doc

    def pipe(self, texts: Iterable[str | Doc], *, batch_words: int = BATCH_WORDS) -> Iterator[Doc]:
        """Annotate a stream, in order, in batches of about `batch_words` words.

        While a batch is annotated, in a thread of its own, the one before is handed out and the next
        is read and tokenized: three are held at a time. The vocab grows with every new word; for long
        streams see `memory_zone`.

        Raises:
            UsageError: It is one text, or holds something that is neither text nor Doc.
        """
        if isinstance(texts, str):
            raise UsageError("pipe takes many texts: for one call the pipeline itself")

        def annotated(docs: list[Doc]) -> list[Doc]:
            self.annotate(docs)
            return docs

        docs = map(self._doc_of, texts)
        # An empty Doc counts too, or a stream of them would be one endless batch.
        batches = batch_by_words(((doc, max(len(doc), 1)) for doc in docs), batch_words)
        with closing(prefetch_map(annotated, batches)) as done:
            for batch in done:
                yield from batch

    def annotate(self, docs: Sequence[Doc]) -> None:
        """Annotate Docs in place, as one batch.

        Raises:
            StageError: A stage failed or answered nonsense; no later head has run.
        """
        with self._annotating:  # a stage need not bear two threads; `pipe` may be at work in another
            if any(head.config.layer == ENTS for head in self.heads.values()):
                for doc in docs:
                    clear_ents(doc)
            batch = Batch(docs, self.embedders)
            categories: list[dict[str, list[str]]] = [{} for _ in docs]
            for head in self.heads.values():
                predictions = self.predict(head, batch)
                self._write(head, docs, predictions)
                if head.config.kind == "classifier":
                    for of_doc, labels in zip(categories, head.apply_thresholds(predictions), strict=True):
                        of_doc[head.name] = labels
            if self.tensor:
                write_tensors(docs, batch.embedded(self.tensor))
            for doc, of_doc in zip(docs, categories, strict=True):
                write_provenance(doc, self.config.name, self.config.version, of_doc)

    def _doc_of(self, text: str | Doc) -> Doc:
        if isinstance(text, str):
            return self.tokenizer(text)
        if not isinstance(text, Doc):
            raise UsageError(
                f"it takes a text or a Doc, not {type(text).__name__}: for many use pipeline.pipe"
            )
        return text

    def predict(self, head: Head, batch: Batch) -> Any:
        """Return what a head's stage answers for a batch, writing nothing."""
        try:
            return batch.run(head.stage, head.config)
        except GlossatorError:
            raise
        except Exception as error:
            raise StageError(f"{head} failed: {type(error).__name__}: {error}") from error

    @contextmanager
    def memory_zone(self) -> Iterator[None]:
        """Bound memory: when the block ends, the words first met inside it may be forgotten.

        Docs made inside must not be touched afterwards (spaCy's `Language.memory_zone`), and the
        tokenizer may go on with another vocab.
        """
        forget_words = getattr(self.tokenizer, "forget_words", None)
        with ExitStack() as stack:
            if forget_words is None:
                self._enter_spacy_zones(stack)
            else:
                stack.callback(forget_words)
            yield

    def _enter_spacy_zones(self, stack: ExitStack) -> None:
        from cymem.cymem import Pool

        pool = Pool()
        stack.enter_context(self.vocab.memory_zone(pool))
        zone = getattr(self.tokenizer, "memory_zone", nullcontext)
        stack.enter_context(zone(pool))

    def vector_space(self, head: HeadConfig) -> VectorSpace:
        """Return the space of the vectors a head will be given.

        Raises:
            ConfigError: It tunes an embedder that has no table.
        """
        named = [self.embedders[name] for name in head.vectors]
        if not head.tune:
            return VectorSpace(width=sum(embedder.width for embedder in named))
        for name, embedder in zip(head.vectors, named, strict=True):
            if not isinstance(embedder, TableEmbedder):
                raise ConfigError(
                    f"[{head.kind}s.{head.name}] tune = true: embedder {name!r} has no table to tune"
                )
        return VectorSpace(tables=tuple(e.table for e in named if isinstance(e, TableEmbedder)))

    def vectors(self, head: HeadConfig, docs: Sequence[Doc]) -> Vectors:
        """Return the vectors of one batch for a head."""
        return Batch(docs, self.embedders).vectors(head)

    def prepare(self) -> Self:
        """Let the stages read the files their settings name; needed once after composing.

        Where the config is that of a saved pipeline they read the copies kept there.
        """
        folder.prepare(self.slots(), self.config.folder)
        return self

    def check_labels(self) -> None:
        """Raise `ConfigError` for labels a layer cannot hold, or that two classifiers write to `doc.cats`."""
        for head in self.heads.values():
            check_labels(head.config.layer, head.stage.labels)
        classifiers = [head for head in self.heads.values() if head.config.kind == "classifier"]
        check_labels_disjoint({head.name: head.labels for head in classifiers})

    def save(self, path: str | Path, *, attachments: Mapping[str, bytes] | None = None) -> None:
        """Save to a folder, whole or not at all: a folder that is there is replaced at the end.

        Args:
            path: The folder.
            attachments: More files for it, by name.

        Raises:
            PipelineError: `path` holds something that is no pipeline.
            StageError: A head is not trained.
        """
        self.check_labels()
        folder.save(
            Path(path),
            self.config,
            self.slots(),
            meta=self._described(),
            record_golden=lambda: golden.record(self.pipe(golden.TEXTS), self.heads.values()),
            attachments=attachments or {},
        )

    def slots(self) -> list[folder.Slot]:
        """Return its stages, each with its place in the pipeline's folder."""
        embedders = [
            folder.Slot(name, self.config.embedders[name], stage, f"embedders/{name}", f"embedder {name!r}")
            for name, stage in self.embedders.items()
        ]
        heads = [
            folder.Slot(head.name, head.config, head.stage, f"{head.config.kind}s/{head.name}", str(head))
            for head in self.heads.values()
        ]
        return embedders + heads

    def _described(self) -> dict[str, Any]:
        return {
            "name": self.config.name,
            "version": self.config.version,
            "lang": self.config.lang,
            "licence": self.config.licence,
            "heads": {head.name: head.described() for head in self.heads.values()},
            **self.meta,
        }

    def _write(self, head: Head, docs: Sequence[Doc], predictions: Any) -> None:
        try:
            answered = len(predictions)
            if answered == len(docs):
                for doc, prediction in zip(docs, predictions, strict=True):
                    write_prediction(doc, head.name, head.config.layer, prediction, head.labels)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise StageError(f"{head} answered what cannot be written: {error}") from error
        if answered != len(docs):
            raise StageError(f"{head} answered for {answered} of {len(docs)} documents")

    def _add_head(self, config: HeadConfig, stage: str | Stage) -> Self:
        self._check_place(config)
        settings = dict(config.settings)
        if config.kind == "tagger":
            settings["write"] = str(config.layer)
        built, plugin = self._build(config.kind, stage, settings)
        self.heads[config.name] = Head(config=config, stage=built, plugin=plugin)
        self.config = replace(self.config, heads=(*self.config.heads, config))
        return self

    def _check_place(self, config: HeadConfig) -> None:
        if config.name in self.heads:
            raise ConfigError(f"there is a head {config.name!r} already: choose another name")
        for name in config.vectors:
            check_embedder(name, self.embedders, f"head {config.name!r}")
        for other in self.config.heads:
            shared = sorted(
                config.layer.exclusive_targets(config.name) & other.layer.exclusive_targets(other.name)
            )
            if shared:
                raise ConfigError(
                    f"heads {other.name!r} and {config.name!r} both write {shared[0]}: "
                    "rename one, or give it another layer"
                )

    def _build(self, kind: Kind, stage: str | Stage, settings: Mapping[str, Any]) -> tuple[Any, Plugin]:
        if isinstance(stage, Stage):
            return build(stage, settings, plugin=_OWN.name), _OWN
        return self.plugins.make(kind, stage, settings), self.plugins.find(kind, stage).plugin


def _chosen(
    heads: Sequence[HeadConfig], only: Collection[str], without: Collection[str]
) -> tuple[HeadConfig, ...]:
    names = [head.name for head in heads]
    for name in (*only, *without):
        if name not in names:
            raise ConfigError(f"the pipeline has no head {name!r}; it has {', '.join(names) or 'none'}")
    return tuple(head for head in heads if (not only or head.name in only) and head.name not in without)


def _stage_name(stage: str | Stage) -> str:
    return stage if isinstance(stage, str) else stage.name
