"""Evaluates a whole pipeline: finds the gold of each head, scores the head and writes reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from glossator.data.categories import has_no_negatives, unknown_categories
from glossator.data.examples import GoldData, read_gold
from glossator.data.files import as_paths
from glossator.errors import DataError, UsageError
from glossator.evaluation.evaluate import Evaluation, evaluate_from_raw_text, evaluate_head
from glossator.evaluation.gold_sources import GoldFiles, GoldSource, OwnData, Split
from glossator.evaluation.matching import Labelled
from glossator.evaluation.plots import can_draw
from glossator.evaluation.report import Explain, error_counts, write_report
from glossator.pipeline.loading import load_if_named, plugins_of
from glossator.stages import Contribution, Explainable
from glossator.util.callbacks import ignore
from glossator.util.messages import listed

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.formats.record import Record
    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

FEATURES_SHOWN = 8  # in the report, for each label of an error

Message = Callable[[str], None]


@dataclass(slots=True)
class PipelineEvaluation:
    """The evaluation of a pipeline.

    Example:
        evaluation = glossator.evaluate("models/samples")
        evaluation.heads["ner"].scores["ents_f"]  # or evaluation.scores()["ents_f"]

    Attributes:
        pipeline: The pipeline.
        heads: The evaluation of each scored head, by its name.
        failed: Number of gold documents that could not be used, counted for each head that reads them.
    """

    pipeline: Pipeline
    heads: dict[str, Evaluation] = field(default_factory=dict)
    failed: int = 0

    def scores(self) -> dict[str, Any]:
        """Return the scores under spaCy's names and, since two heads may share one, under "heads" by head."""
        merged: dict[str, Any] = {}
        # The first head keeps a score's name.
        for head in self.heads.values():
            merged = {**head.scores, **merged}
        by_head = {
            name: {**head.scores, "documents": head.documents, "words": head.words}
            for name, head in self.heads.items()
        }
        return {**merged, "heads": by_head}


def evaluate(
    pipeline: Pipeline | str | Path,
    gold: str | Path | Iterable[str | Path] | None = None,
    *,
    split: Split | None = None,
    format: str = "",
    options: Mapping[str, Any] | None = None,
    encoding: str = "utf-8",
    corpora: str | Path | None = None,
    retokenize: bool = False,
    only: Collection[str] = (),
    without: Collection[str] = (),
    report: str | Path | None = None,
    plugins: PluginManager | None = None,
    on_head: Callable[[str], None] = ignore,
    on_error: Callable[[DataError], None] = ignore,
    on_message: Message = ignore,
) -> PipelineEvaluation:
    """Score a pipeline on gold data, each head on its own layer.

    Without `gold` each head uses the test set, or another split, of the data it was trained with. Gold files
    of the same format are read with the options of that data, unless `options` are given.

    Example:
        evaluation = glossator.evaluate("models/samples", split="dev", on_message=print)
        print(evaluation.heads["ner"].scores["ents_f"])

    Args:
        pipeline: A pipeline, or the name or folder of one.
        gold: Files and folders; "-" is standard input.
        split: Split of the pipeline's own data to use without `gold`; by default the test set.
        format: Format of the gold files; by default that of their endings.
        options: Settings of that format.
        encoding: Encoding of text files.
        corpora: The folder of corpora; by default the one `GLOSSATOR_CORPORA` names.
        retokenize: Score from raw text, by the CoNLL-18 rule; by default gold tokens are kept.
        only: Load these heads alone.
        without: Leave these heads out.
        report: A folder for a report of each head: see `evaluation.report.write_report`.
        plugins: Where formats and stages are looked up; by default the pipeline's, or all installed.
        on_head: Called with the name of each head before it is scored.
        on_error: Called, for each head, with the error of each gold document that cannot be used.
        on_message: Called with messages to the user: heads that are not scored and why, repaired spans,
            categories that make scores hard to interpret, the files of the report.

    Raises:
        ConfigError: There is no head of such a name, or the format has no such option.
        DataError: No gold document can be used.
        PipelineError: There is no such pipeline, or it is damaged.
        PluginError: There is no such format or stage.
        UsageError: The pipeline's config names no such split, or there are both `gold` and `split`.
    """
    files = as_paths(gold or ())
    if files and split:
        raise UsageError("--split is a set of the pipeline's own data: leave it out, or leave out GOLD")
    if split is not None and split not in get_args(Split):
        raise UsageError(f"there is no split {split!r}: use one of {listed(get_args(Split))}")
    manager = plugins_of(pipeline, plugins)
    loaded = load_if_named(pipeline, only=only, without=without, plugins=manager)

    source: GoldSource
    if files:
        source = GoldFiles(loaded, files, manager, format, options or {}, encoding)
    else:
        folder = Path(corpora) if corpora is not None else None
        source = OwnData(loaded, split or "test", folder, manager)
    heads = [head for head in loaded.heads.values() if source.has_gold(head, on_message)]
    if not heads:
        raise UsageError(f"the pipeline's config names no {split or 'test'} set: name GOLD files")
    if report is not None:
        Path(report).mkdir(parents=True, exist_ok=True)  # fails before the work if it cannot be written

    result = PipelineEvaluation(loaded)
    for head in heads:
        on_head(head.name)
        data = _read_gold(loaded, head, source, retokenize)
        result.failed += len(data.errors)
        for error in data.errors:
            on_error(error)
        _report_problems(head, data, on_message)
        if data.examples:
            result.heads[head.name] = _evaluate(loaded, head, data, retokenize)
            if report is not None:
                _write_report(loaded, Path(report), head, data, result.heads[head.name], on_message)

    _check_scored(result)
    if report is not None and not can_draw():
        on_message("pictures need matplotlib: pip install 'glossator[plots]'")
    return result


def _read_gold(pipeline: Pipeline, head: Head, source: GoldSource, retokenize: bool) -> GoldData:
    records = source.records(head)
    if retokenize:
        records = _with_raw_text(records)
    data = read_gold(records, head.config.layer, pipeline.tokenizer)
    source.keep_own(head, data)
    return data


def _with_raw_text(records: Iterator[Record | DataError]) -> Iterator[Record | DataError]:
    for record in records:
        if not isinstance(record, DataError) and not record.raw:
            yield DataError("it has no raw text to tokenize again", file=record.file, line=record.line)
        else:
            yield record


def _evaluate(pipeline: Pipeline, head: Head, data: GoldData, retokenize: bool) -> Evaluation:
    if retokenize and not head.config.layer.is_categories:
        return evaluate_from_raw_text(pipeline, head, [example.reference for example in data.examples])
    return evaluate_head(pipeline, head, data.examples)


def _check_scored(result: PipelineEvaluation) -> None:
    """Raise `DataError` if no head could be scored."""
    if not result.heads and result.failed:
        raise DataError("there is no gold document that can be used")
    if not result.heads:
        raise DataError("the gold files have no annotations of the layers that this pipeline writes")


def _report_problems(head: Head, data: GoldData, on_message: Message) -> None:
    if not data.examples:
        on_message(f"{head.name}: the gold has no annotations of {head.config.layer}; it is not scored")
    if data.alignment.repaired or data.alignment.impossible:
        on_message(f"{head.name}: {data.alignment.summary()}")
    gold = [example.reference.cats for example in data.examples]
    if head.config.kind != "classifier" or not gold:
        return

    if unknown := unknown_categories(gold, head.stage.labels):
        # Only a classifier with thresholds can predict that a document is out of scope.
        effect = "count as out of scope" if head.exclusive and head.thresholds else "cannot be predicted"
        on_message(f"{head.name}: categories of the gold that are not among its labels {effect}: {unknown}")
    if not head.exclusive and has_no_negatives(gold):
        on_message(
            f"{head.name}: the gold has no negative categories (0.0), so every prediction counts as correct: "
            "add them (for a table, with the options label_separator and labels)"
        )


def _write_report(
    pipeline: Pipeline, folder: Path, head: Head, data: GoldData, result: Evaluation, on_message: Message
) -> None:
    gold = [example.reference for example in data.examples]
    explain = _explainer(pipeline, head)
    written = write_report(folder, head.name, head.config.layer, result, gold, explain)
    errors = ", ".join(f"{count:,} {kind}" for kind, count in error_counts(result.matches).items())
    files = ", ".join(path.name for path in written)
    on_message(f"{head.name}: {errors or 'no errors'}; {folder}: {files}")


def _explainer(pipeline: Pipeline, head: Head) -> Explain | None:
    """Return what finds the features behind a label, None if the head's stage cannot tell."""
    stage = head.stage
    if not isinstance(stage, Explainable):
        return None

    def explain(doc: Doc, labelled: Labelled) -> Sequence[Contribution]:
        span = doc.char_span(labelled.start, labelled.end, alignment_mode="expand")
        # The gold may have labels that the stage does not know.
        if span is None or labelled.label not in stage.labels:
            return ()
        vectors = pipeline.vectors(head.config, [doc])
        return stage.explain(doc, vectors, labelled.label, span.start, span.end, FEATURES_SHOWN)

    return explain
