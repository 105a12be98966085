"""Runs the checks of a stage's kind one by one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from glossator.annotations.layer import CATS, Layer
from glossator.errors import ConfigError, UsageError
from glossator.hookspecs import Kind, Stage
from glossator.plugins.building import FAILURES
from glossator.plugins.manager import PluginManager
from glossator.testing.checks import declaration, learning, prediction, saving, tokenization
from glossator.testing.outcome import CheckResult, Failed, NotApplicable
from glossator.testing.subject import Subject
from glossator.testing.trial import Trial
from glossator.util.messages import did_you_mean, listed, one_line

Check = Callable[[Trial], None]

_ANY: tuple[Check, ...] = (
    declaration.light_import,
    declaration.config_round_trip,
    saving.loads_in_a_fresh_process,
    saving.works_in_a_spawned_worker,
)
_EMBEDDER: tuple[Check, ...] = (
    *_ANY,
    prediction.batch_invariance,
    prediction.odd_documents,
    prediction.alignment,
    prediction.docs_untouched,
    saving.damage_is_an_error,
)
_HEAD: tuple[Check, ...] = (
    *_EMBEDDER,
    learning.stable_labels,
    learning.learns_eight_examples,
    learning.learns_through_spacy,
    learning.resumes,
    learning.same_seed_same_result,
)
_TOKENIZER: tuple[Check, ...] = (
    *_ANY,
    tokenization.keeps_the_text,
    tokenization.one_vocab,
    tokenization.deterministic,
    tokenization.bears_memory_zones,
)
CHECKS: Mapping[Kind, tuple[Check, ...]] = {
    "tokenizer": _TOKENIZER,
    "embedder": _EMBEDDER,
    "classifier": _HEAD,
    "tagger": _HEAD,
}
LAYERS = ("ents", "spans:checked", "tag", "pos")


def check_stage(
    kind: Kind,
    stage: str | Stage,
    *,
    settings: Mapping[str, Any] | None = None,
    plugins: PluginManager | None = None,
    layer: str | None = None,
    only: Collection[str] = (),
) -> list[CheckResult]:
    """Check that a stage keeps the contract of its kind.

    Two checks start other processes, which import the stage by name: in a script, call this
    under `if __name__ == "__main__":`.

    Example:
        for result in check_stage("tagger", "builtin/crf", layer="tag"):
            print(result.check, result.outcome, result.reason)

    Args:
        kind: "tokenizer", "embedder", "classifier" or "tagger".
        stage: Its name, "stage" or "plugin/stage", or a record.
        settings: Keyword arguments of its factory.
        plugins: Where names are looked up; by default all installed plugins.
        layer: For taggers, the layer to write; by default the first of "ents", "spans:KEY", "tag"
            and "pos" that it supports.
        only: Names of the checks to run; by default all.

    Returns:
        One result per check, or a failed "builds" alone if the stage cannot be built.

    Raises:
        PluginError: There is no such stage.
        UsageError: `only` contains a name that no check has.
    """
    manager = plugins or PluginManager.from_environment()
    chosen = dict(settings or {})
    if kind == "tagger" and layer is not None:
        chosen["write"] = layer
    [variant, *_] = variants(kind, stage, settings=chosen, plugins=manager)
    return list(run_checks(kind, stage, settings=variant, plugins=manager, only=only))


def assert_conforms(
    kind: Kind,
    stage: str | Stage,
    *,
    settings: Mapping[str, Any] | None = None,
    plugins: PluginManager | None = None,
    layer: str | None = None,
) -> None:
    """Raise an `AssertionError` that lists the failed checks of a stage; arguments as in `check_stage`.

    Example:
        def test_my_classifier():
            assert_conforms("classifier", "my-plugin/my-classifier", settings={"width": 32})
    """
    results = check_stage(kind, stage, settings=settings, plugins=plugins, layer=layer)
    failed = [f"{result.check}: {result.reason}" for result in results if result.outcome == "failed"]
    if failed:
        name = stage if isinstance(stage, str) else stage.name
        raise AssertionError("\n  ".join([f"{kind} {name!r} fails {len(failed)} checks:", *failed]))


def variants(
    kind: Kind, stage: str | Stage, *, settings: Mapping[str, Any], plugins: PluginManager
) -> list[dict[str, Any]]:
    """Return the settings to check a stage with, one variant for each kind of prediction it supports.

    A tagger has one variant per layer that its factory accepts, a classifier one with `exclusive` and one
    without, unless `settings` decide.

    Example:
        variants("classifier", "linear", settings={}, plugins=PluginManager())
        # [{"exclusive": True}, {"exclusive": False}]
    """
    choices: dict[str, tuple[str, tuple[Any, ...]]] = {
        "tagger": ("write", LAYERS),
        "classifier": ("exclusive", (True, False)),
    }
    if kind not in choices or choices[kind][0] in settings:
        return [dict(settings)]
    name, values = choices[kind]
    tried = [{**settings, name: value} for value in values]
    return [one for one in tried if _accepts(kind, stage, one, plugins)] or [dict(settings)]


def run_checks(
    kind: Kind,
    stage: str | Stage,
    *,
    settings: Mapping[str, Any],
    plugins: PluginManager,
    only: Collection[str] = (),
) -> Iterator[CheckResult]:
    """Run checks one by one and yield each result; `write` in a tagger's settings names its layer.

    Example:
        for result in run_checks("tagger", "crf", settings={"write": "tag"}, plugins=PluginManager()):
            print(result.check, result.outcome)
    """
    chosen = _chosen(kind, only)
    subject = _subject(kind, stage, settings, plugins)
    try:
        subject.compose()
    except FAILURES as error:
        yield CheckResult("builds", "failed", str(error) or one_line(error))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        trial = Trial(subject, Path(folder))
        for check in chosen:
            yield _run(check, trial)


def check_name(check: Check) -> str:
    """Return the name of a check.

    Example:
        check_name(prediction.batch_invariance)  # "batch invariance"
    """
    return check.__name__.replace("_", " ")


def _run(check: Check, trial: Trial) -> CheckResult:
    name = check_name(check)
    try:
        check(trial)
    except NotApplicable as reason:
        return CheckResult(name, "not applicable", str(reason))
    except Failed as reason:
        return CheckResult(name, "failed", str(reason))
    except FAILURES as error:
        return CheckResult(name, "failed", one_line(error))
    return CheckResult(name, "passed")


def _chosen(kind: Kind, only: Collection[str]) -> tuple[Check, ...]:
    # Checks of all kinds are valid: `only` may serve several stages, to which not each of them applies.
    valid = {check_name(check) for checks in CHECKS.values() for check in checks}
    unknown = [name for name in only if name not in valid]
    if unknown:
        nearest = did_you_mean(unknown[0], valid)
        raise UsageError(f"there is no check {unknown[0]!r}{nearest}; checks: {listed(valid)}")
    return tuple(check for check in CHECKS[kind] if not only or check_name(check) in only)


def _subject(kind: Kind, stage: str | Stage, settings: Mapping[str, Any], plugins: PluginManager) -> Subject:
    if isinstance(stage, str):
        # The full name, so that another process finds the same stage.
        stage = plugins.find(kind, stage).full_name
    others = dict(settings)
    layer = CATS if kind == "classifier" else None
    if kind == "tagger":
        layer = Layer.for_tagger(str(others.pop("write", "ents")))
    return Subject(kind=kind, stage=stage, settings=others, layer=layer, plugins=plugins)


def _accepts(kind: Kind, stage: str | Stage, settings: Mapping[str, Any], plugins: PluginManager) -> bool:
    try:
        _subject(kind, stage, settings, plugins).compose(prepare=False)
    except ConfigError:
        return False
    except FAILURES:
        return True  # it accepts the setting; the checks report what else is wrong
    return True
