"""The result on the dev set: its score, and the loss that decides between equal scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from toy_pipelines import first_words, fixed

from glossator.pipeline.pipeline import Pipeline
from glossator.stages import TokenTags
from glossator.training.dev_score import DevScore, dev_score


def examples(pipeline: Pipeline, *gold) -> list[Example]:
    made = []
    for words, labels in gold:
        reference = Doc(pipeline.vocab, words=words, **{k: v for k, v in labels.items() if k != "cats"})
        reference.cats = labels.get("cats", {})
        made.append(Example(Doc(pipeline.vocab, words=words), reference))
    return made


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_loss_of_categories_is_the_mean_of_the_documents(exclusive):
    pipeline = Pipeline("en")
    stage = fixed(lambda docs: np.asarray([[0.8, 0.2], [0.6, 0.4]])[: len(docs)], ("A", "B"))
    pipeline.add_classifier("topic", stage)
    pipeline.heads["topic"].stage.exclusive = exclusive
    gold = [(["a"], {"cats": {"A": 1.0, "B": 0.0}}), (["b"], {"cats": {"A": 0.0, "B": 1.0}})]
    result = dev_score(pipeline, pipeline.heads["topic"], examples(pipeline, *gold))
    per_label = [0.8, 0.4] if exclusive else [0.8, 0.8, 0.4, 0.4]
    assert result.loss == pytest.approx(-sum(map(math.log, per_label)) / 2)


def test_the_loss_of_tags_is_the_mean_of_the_annotated_words():
    pipeline = Pipeline("en")
    tags = TokenTags(np.asarray([0, 1, 0, 2]), np.asarray([0.9, 0.6, 0.5, 0.4]))
    pipeline.add_tagger("tags", fixed(lambda docs: [tags for _ in docs], ("X", "Y", "Z")), write="tag")
    gold = (["a", "b", "c", "\n"], {"tags": ["X", "Z", "", "Y"]})  # "c" and white space do not count
    result = dev_score(pipeline, pipeline.heads["tags"], examples(pipeline, gold))
    assert result.loss == pytest.approx(-(math.log(0.9) + math.log(0.4 / 2)) / 2)


def test_spans_have_no_loss_as_those_that_were_missed_have_no_probability():
    pipeline = Pipeline("en")
    pipeline.add_tagger("ner", first_words("PER", 0.7))
    gold = (["Ana", "left"], {"ents": ["B-PER", "O"]})
    assert dev_score(pipeline, pipeline.heads["ner"], examples(pipeline, gold)) == DevScore(1.0, None)
