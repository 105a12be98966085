"""`glossator init-config`."""

from __future__ import annotations

from pathlib import Path

import click

from glossator.errors import UsageError


@click.command("init-config")
@click.option("--lang", default="en", show_default=True, help="spaCy's language code.")
@click.option("--tagger", "taggers", multiple=True, metavar="STAGE", help="Add this tagger; may be repeated.")
@click.option("--classifier", "classifiers", multiple=True, metavar="STAGE", help="Add this classifier.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; by default it is printed."
)
def init_config(
    lang: str, taggers: tuple[str, ...], classifiers: tuple[str, ...], output: Path | None
) -> None:
    """Print a config to start from; without a stage, one with a tagger and a classifier."""
    from glossator.config.sections import config_from_dict
    from glossator.config.text import config_to_text

    if not taggers and not classifiers:
        taggers, classifiers = ("crf",), ("linear",)
    tagger_names = _names(taggers, "tags")
    classifier_names = _names(classifiers, "topic")
    sections = {
        "glossator": {"lang": lang},
        "taggers": {name: {"stage": stage, "write": "ents"} for name, stage in tagger_names.items()},
        "classifiers": {name: {"stage": stage} for name, stage in classifier_names.items()},
        "data": {
            name: {"train": f"{name}.train.jsonl", "dev": f"{name}.dev.jsonl", "test": f"{name}.test.jsonl"}
            for name in (*tagger_names, *classifier_names)
        },
    }

    text = config_to_text(config_from_dict(sections)) + "\n"
    if output is None:
        click.echo(text, nl=False)
    elif output.exists():
        raise UsageError(f"{output} already exists: name another file")
    else:
        output.write_text(text, encoding="utf-8")


def _names(stages: tuple[str, ...], base: str) -> dict[str, str]:
    """Name each stage: `base`, or `base-1`, `base-2` where there are several."""
    if len(stages) == 1:
        return {base: stages[0]}
    return {f"{base}-{number}": stage for number, stage in enumerate(stages, start=1)}
