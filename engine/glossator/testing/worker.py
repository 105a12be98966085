"""The work of another process: load a saved pipeline, answer, and train again.

python -m glossator.testing.worker ORDER.json REPORT.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glossator.errors import PluginError
from glossator.hookspecs import Stage
from glossator.plugins.building import load_object
from glossator.testing.answers import plain_answers
from glossator.testing.lessons import begin, is_trainable, lesson
from glossator.testing.subject import Subject


def report(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers and labels of a saved stage.

    Example:
        report(trial.order(learn=True))["labels"]

    Args:
        order: "subject", from `Subject.to_json`; "folder" of the saved pipeline; "texts"; "learn", whether
            to train a second stage, too.

    Returns:
        "answers", plain; "labels"; "learnt", the labels after another training, or None; or
        "unavailable" alone, the reason why this process cannot import the stage.
    """
    subject = Subject.from_json(order["subject"])
    if isinstance(subject.stage, Stage):
        try:
            load_object(subject.stage.factory, what=f"stage {subject.stage.name!r}")
        except PluginError as error:
            return {"unavailable": str(error)}
    pipeline = subject.load(Path(order["folder"]))
    return {
        "answers": plain_answers(subject, pipeline, order["texts"]),
        "labels": list(getattr(subject.part(pipeline), "labels", ())),
        "learnt": _labels_learnt(subject) if order["learn"] else None,
    }


def _labels_learnt(subject: Subject) -> list[str] | None:
    pipeline = subject.compose()
    if not is_trainable(subject, pipeline):
        return None
    begin(subject, pipeline, lesson(subject, pipeline)[::-1])
    return list(subject.part(pipeline).labels)


def main(order: str, answer: str) -> None:
    """Carry out the order in one file and write the report to another."""
    # Files instead of standard output, on which frameworks print messages of their own.
    done = report(json.loads(Path(order).read_text(encoding="utf-8")))
    Path(answer).write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
