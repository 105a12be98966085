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

_OWN = Plugin("(none)", "", "")  # of a stage that is passed as a record, not by name


class Pipeline:
    """Annotates texts and Docs.

    Compose one in Python, read it from a config (`from_config`) or load a saved one (`glossator.load`).

    Example:
        pipeline = glossator.load("models/samples")
        pipeline("Mara lives in Oslo.").ents

        untrained = Pipeline("en").add_tagger("ner", "crf", write="ents")

    Args:
        lang: spaCy's language code.
        tokenizer: The tokenizer stage; other keyword arguments are its settings.
        name: The pipeline's name, written to each Doc.
        version: The pipeline's version, written to each Doc.
        licence: The licence of the trained weights.
        seed: The seed of all randomness in training.
        plugins: Where stages are looked up; by default all that are installed.

    Attributes:
        config: Its config, kept up to date by `add_...`.
        meta: Results of training that are saved with it: dev scores, checksums of the data.
        source: The folder it was loaded from, if any.
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
        settings = {"lang": lang, **tokenizer_settings}
        self.tokenizer: Tokenizer = self._build("tokenizer", tokenizer, settings)[0]

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
        """Build the untrained stages of a config; `only` and `without` choose among its heads."""
        heads = _chosen(config.heads, only, without)
        pipeline = cls(
            config.lang,
            tokenizer=config.tokenizer.stage,
            plugins=plugins,
            **config.tokenizer.settings,
        )
        for name, stage in config.embedders.items():
            # Vectors can be gigabytes: those that no chosen head uses are not built.
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
            raise ConfigError(f"an embedder {name!r} already exists: choose another name")
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
            stage: The stage: "name", "plugin/name" or a `Stage` record.
            write: The layer it writes.
            vectors: Names of the embedders whose vectors it uses.
            tune: Whether it trains its own copy of the vectors.
            **settings: Settings of the stage.
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
        """Add a classifier that writes `doc.cats`, with `prefix` before each label."""
        values = {"prefix": prefix, "vectors": list(vectors), "tune": tune, **settings}
        return self._add_head(head_config(name, "classifier", {"stage": _stage_name(stage), **values}), stage)

    def remove(self, name: str) -> None:
        """Remove a head."""
        _chosen(self.config.heads, (), (name,))
        del self.heads[name]
        heads = tuple(head for head in self.config.heads if head.name != name)
        data = {head: data for head, data in self.config.data.items() if head != name}
        self.config = replace(self.config, heads=heads, data=data)

    @property
    def tensor(self) -> str:
        """Name of the embedder whose vectors are written to `doc.tensor`, for `.vector`; "" for none."""
        return self.config.tensor

    @tensor.setter
    def tensor(self, name: str) -> None:
        if name:
            check_embedder(name, self.embedders, "tensor")
        self.config = replace(self.config, tensor=name)

    @property
    def vocab(self) -> Vocab:
        """The vocab of the Docs that the tokenizer makes."""
        return self.tokenizer("").vocab

    def __call__(self, text: str | Doc) -> Doc:
        """Annotate one text, or one Doc in place; raise `UsageError` for anything else."""
        doc = self._doc_of(text)
        self.annotate([doc])
        return doc

    def pipe(self, texts: Iterable[str | Doc], *, batch_words: int = BATCH_WORDS) -> Iterator[Doc]:
        """Annotate a stream, in order, in batches of about `batch_words` words.

        While a thread annotates one batch, the batch before it is yielded and the next one
        is read and tokenized: three batches are in memory. The vocab grows with every new word; for long
        streams see `memory_zone`.

        Raises:
            UsageError: `texts` is a single text, or holds something that is neither a text nor a Doc.
        """
        if isinstance(texts, str):
            raise UsageError("pipe takes many texts: for a single text, call the pipeline itself")

        def annotated(docs: list[Doc]) -> list[Doc]:
            self.annotate(docs)
            return docs

        docs = map(self._doc_of, texts)
        # An empty Doc counts as one word, or a stream of them would be one endless batch.
        batches = batch_by_words(((doc, max(len(doc), 1)) for doc in docs), batch_words)
        with closing(prefetch_map(annotated, batches)) as done:
            for batch in done:
                yield from batch

    def annotate(self, docs: Sequence[Doc]) -> None:
        """Annotate Docs in place, as one batch.

        Raises:
            StageError: A stage failed or returned an invalid prediction; no later head has run.
        """
        with self._annotating:  # stages need not be thread-safe, and `pipe` annotates in another thread
            if any(head.config.layer == ENTS for head in self.heads.values()):
                for doc in docs:
                    clear_ents(doc)
            batch = Batch(docs, self.embedders)
            categories: list[dict[str, list[str]]] = [{} for _ in docs]
            for head in self.heads.values():
                predictions = self.predict(head, batch)
                self._write(head, docs, predictions)
                if head.config.kind == "classifier":
                    for holding, labels in zip(categories, head.apply_thresholds(predictions), strict=True):
                        holding[head.name] = labels

            if self.tensor:
                write_tensors(docs, batch.embedded(self.tensor))
            for doc, holding in zip(docs, categories, strict=True):
                write_provenance(doc, self.config.name, self.config.version, holding)

    def _doc_of(self, text: str | Doc) -> Doc:
        if isinstance(text, str):
            return self.tokenizer(text)
        if not isinstance(text, Doc):
            raise UsageError(
                f"a pipeline takes a text or a Doc, not {type(text).__name__}: for several use pipeline.pipe"
            )
        return text

    def predict(self, head: Head, batch: Batch) -> Any:
        """Return the predictions of a head's stage for a batch, without writing them."""
        try:
            return batch.run(head.stage, head.config)
        except GlossatorError:
            raise
        except Exception as error:
            raise StageError(f"{head} failed: {type(error).__name__}: {error}") from error

    @contextmanager
    def memory_zone(self) -> Iterator[None]:
        """Bound memory: when the block ends, words that are new in it may be removed from the vocab.

        Docs made inside must not be used afterwards (see spaCy's `Language.memory_zone`), and the
        tokenizer may continue with another vocab.
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
        """Return the space of the vectors that a head gets.

        Raises:
            ConfigError: It tunes an embedder that has no table.
        """
        embedders = [self.embedders[name] for name in head.vectors]
        if not head.tune:
            return VectorSpace(width=sum(embedder.width for embedder in embedders))
        for name, embedder in zip(head.vectors, embedders, strict=True):
            if not isinstance(embedder, TableEmbedder):
                raise ConfigError(
                    f"[{head.kind}s.{head.name}] tune = true: embedder {name!r} has no table to tune"
                )
        return VectorSpace(tables=tuple(e.table for e in embedders if isinstance(e, TableEmbedder)))

    def vectors(self, head: HeadConfig, docs: Sequence[Doc]) -> Vectors:
        """Return the vectors of one batch for a head."""
        return Batch(docs, self.embedders).vectors(head)

    def prepare(self) -> Self:
        """Let the stages read the files that their settings name; call it once after composing.

        With the config of a saved pipeline, they read the copies saved there.
        """
        folder.prepare(self.slots(), self.config.folder)
        return self

    def check_labels(self) -> None:
        """Raise `ConfigError` for labels that a layer cannot hold, or that two classifiers write."""
        for head in self.heads.values():
            check_labels(head.config.layer, head.stage.labels)
        classifiers = [head for head in self.heads.values() if head.config.kind == "classifier"]
        check_labels_disjoint({head.name: head.labels for head in classifiers})

    def save(self, path: str | Path, *, attachments: Mapping[str, bytes] | None = None) -> None:
        """Save to a folder; an existing pipeline is replaced when the new one is complete.

        Args:
            path: The folder.
            attachments: More files for the folder, by name.

        Raises:
            PipelineError: `path` contains files but is not a pipeline.
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
        """Return its stages, each with its subfolder in the pipeline's folder."""
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
            count = len(predictions)
            if count == len(docs):
                labels = head.labels  # made anew each time it is asked for: once per batch, not per document
                for doc, prediction in zip(docs, predictions, strict=True):
                    write_prediction(doc, head.name, head.config.layer, prediction, labels)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise StageError(f"{head} returned an invalid prediction: {error}") from error
        if count != len(docs):
            raise StageError(f"{head} returned {count} predictions for {len(docs)} documents")

    def _add_head(self, config: HeadConfig, stage: str | Stage) -> Self:
        self._check_addable(config)
        settings = dict(config.settings)
        if config.kind == "tagger":
            settings["write"] = str(config.layer)
        built, plugin = self._build(config.kind, stage, settings)
        self.heads[config.name] = Head(config=config, stage=built, plugin=plugin)
        self.config = replace(self.config, heads=(*self.config.heads, config))
        return self

    def _check_addable(self, config: HeadConfig) -> None:
        if config.name in self.heads:
            raise ConfigError(f"a head {config.name!r} already exists: choose another name")
        for name in config.vectors:
            check_embedder(name, self.embedders, f"head {config.name!r}")
        for other in self.config.heads:
            shared = sorted(
                config.layer.exclusive_targets(config.name) & other.layer.exclusive_targets(other.name)
            )
            if shared:
                raise ConfigError(
                    f"heads {other.name!r} and {config.name!r} both write {shared[0]}: "
                    "rename one, or let it write another layer"
                )

    def _build(self, kind: Kind, stage: str | Stage, settings: Mapping[str, Any]) -> tuple[Any, Plugin]:
        if isinstance(stage, Stage):
            return build(stage, settings, plugin=_OWN.name), _OWN
        return self.plugins.make(kind, stage, settings), self.plugins.find(kind, stage).plugin


def _chosen(
    heads: Sequence[HeadConfig], only: Collection[str], without: Collection[str]
) -> tuple[HeadConfig, ...]:
    for option, chosen in (("only", only), ("without", without)):
        if isinstance(chosen, str):  # whose letters would be taken for heads
            raise UsageError(f"{option} = {chosen!r}: give a list of heads, [{chosen!r}]")
    names = [head.name for head in heads]
    for name in (*only, *without):
        if name not in names:
            raise ConfigError(f"the pipeline has no head {name!r}; it has {', '.join(names) or 'none'}")
    return tuple(head for head in heads if (not only or head.name in only) and head.name not in without)


def _stage_name(stage: str | Stage) -> str:
    return stage if isinstance(stage, str) else stage.name
