"""A small tagger that keeps every promise, and taggers that each break one."""

from __future__ import annotations

import json
import multiprocessing
from typing import ClassVar

import numpy as np

from glossator.annotations.gold import gold_spans, gold_tags
from glossator.annotations.layer import Layer
from glossator.errors import ConfigError
from glossator.stages import ScoredSpan, TokenTags

OUTSIDE = ""


class Memory:
    """Learns the label of each word by heart, in noisy steps that grow smaller."""

    def __init__(self, write="tag"):
        self.layer = Layer.for_tagger(write)
        self.labels = ()
        self.scores = {}
        self.seed, self.steps = 0, 0

    @property
    def outputs(self):
        return (OUTSIDE, *self.labels) if self.layer.is_spans else self.labels

    def initialize(self, examples, space, *, seed):
        found = {label for example in examples for label in self.gold(example)} - {OUTSIDE}
        self.labels = self.ordered(found)
        self.scores, self.seed, self.steps = {}, seed, 0

    def ordered(self, labels):
        return tuple(sorted(labels))

    def update(self, examples, vectors):
        rate = np.random.default_rng([self.seed, self.steps]).uniform(2, 3) / (1 + self.steps)
        self.steps += 1
        losses = []
        for example in examples:
            for token, label in zip(example.predicted, self.gold(example), strict=True):
                gold = self.outputs.index(label)
                probabilities = self.probabilities(token)
                losses.append(-np.log(probabilities[gold]))
                gradient = probabilities - np.eye(len(self.outputs))[gold]
                self.scores[token.text] = self.scores_of(token) - rate * gradient
        return float(np.mean(losses))

    def gold(self, example):
        if not self.layer.is_spans:
            return gold_tags(example, self.layer)
        labels = [OUTSIDE] * len(example.predicted)
        for span in gold_spans(example, self.layer):
            labels[span.start : span.end] = [span.label] * (span.end - span.start)
        return labels

    def scores_of(self, token):
        return np.asarray(self.scores.get(token.text, np.zeros(len(self.outputs))))

    def probabilities(self, token):
        exponentials = np.exp(self.scores_of(token))
        return exponentials / exponentials.sum()

    def predict(self, docs, vectors):
        return [self.of_doc(doc) for doc in docs]

    def of_doc(self, doc):
        rows = np.array([self.probabilities(token) for token in doc]).reshape(len(doc), len(self.outputs))
        ids, best = rows.argmax(axis=1), rows.max(axis=1, initial=0)
        if not self.layer.is_spans:
            return TokenTags(ids=ids, probabilities=best)
        starts = [i for i in range(len(ids)) if ids[i] and (i == 0 or ids[i - 1] != ids[i])]
        ends = [next((j for j in range(i, len(ids)) if ids[j] != ids[i]), len(ids)) for i in starts]
        return [
            ScoredSpan(start, end, self.outputs[ids[start]], self.score(best[start:end]))
            for start, end in zip(starts, ends, strict=True)
        ]

    def score(self, probabilities):
        return float(probabilities.prod())

    def training_state(self):
        return {"seed": np.array(self.seed), "steps": np.array(self.steps)}

    def restore(self, state):
        self.seed, self.steps = int(state["seed"]), int(state["steps"])

    def to_disk(self, path):
        scores = {word: np.asarray(row).tolist() for word, row in self.scores.items()}
        (path / "memory.json").write_text(json.dumps([self.labels, scores]), encoding="utf-8")

    def from_disk(self, path):
        labels, self.scores = json.loads((path / "memory.json").read_text(encoding="utf-8"))
        self.labels = tuple(labels)


class DependsOnTheBatch(Memory):
    def predict(self, docs, vectors):
        answers = super().predict(docs, vectors)
        return [TokenTags(answer.ids, answer.probabilities * (1 - len(docs) / 1000)) for answer in answers]


class ChokesOnLongTokens(Memory):
    def predict(self, docs, vectors):
        if any(len(token) > 10_000 for doc in docs for token in doc):
            raise MemoryError("no room for the characters of a token")
        return super().predict(docs, vectors)


class AddsUpProbabilities(Memory):
    """Shows where names have two words, which they have in no odd document."""

    def score(self, probabilities):
        return float(probabilities.sum())


class WritesToDocs(Memory):
    def predict(self, docs, vectors):
        for doc in docs:
            doc.user_data["seen"] = True
        return super().predict(docs, vectors)


class IgnoresDamage(Memory):
    def from_disk(self, path):
        try:
            super().from_disk(path)
        except (OSError, ValueError):
            self.labels, self.scores = ("?",), {}


class ReadsWhatLinesThereAre(Memory):
    def to_disk(self, path):
        scores = [[word, np.asarray(row).tolist()] for word, row in self.scores.items()]
        lines = [json.dumps(entry) for entry in [self.labels, *scores]]
        (path / "memory.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def from_disk(self, path):
        labels, *scores = map(json.loads, (path / "memory.jsonl").read_text(encoding="utf-8").splitlines())
        self.labels, self.scores = tuple(labels), dict(scores)


class LabelsFromASet(Memory):
    def ordered(self, labels):
        return tuple(set(labels))


class NeedsSentences(Memory):
    def update(self, examples, vectors):
        assert all(list(example.predicted.sents) for example in examples)
        return super().update(examples, vectors)


class ForgetsItsSteps(Memory):
    def restore(self, state):
        self.seed = int(state["seed"])


class ChangesItsSettings(Memory):
    def __init__(self, names, write="tag"):
        super().__init__(write)
        names.append("one more")


class RowsByBuiltinHash(Memory):
    """Python's hash of a string is another one in every process."""

    rows: ClassVar = {}

    def to_disk(self, path):
        scores = [[hash(word), np.asarray(row).tolist()] for word, row in self.scores.items()]
        (path / "memory.json").write_text(json.dumps([self.labels, scores]), encoding="utf-8")

    def from_disk(self, path):
        labels, scores = json.loads((path / "memory.json").read_text(encoding="utf-8"))
        self.labels, self.rows = tuple(labels), dict(scores)

    def scores_of(self, token):
        if token.text not in self.scores and hash(token.text) in self.rows:
            self.scores[token.text] = self.rows[hash(token.text)]
        return super().scores_of(token)


class RefusesWorkers(Memory):
    def from_disk(self, path):
        if multiprocessing.parent_process() is not None:
            raise RuntimeError("only the main process may load it")
        super().from_disk(path)


class Fitted(Memory):
    """Learns at once."""

    update = training_state = restore = None

    def __init__(self, write="tag"):
        if write != "tag":
            raise ConfigError("it writes tags alone")
        super().__init__(write)

    def fit(self, examples, vectors, *, seed):
        self.initialize(examples, None, seed=seed)
        for example in examples:
            for token, label in zip(example.predicted, self.gold(example), strict=True):
                self.scores[token.text] = np.eye(len(self.labels))[self.labels.index(label)] * self.weight()

    def weight(self):
        return 5


class NeverLearns(Fitted):
    def weight(self):
        return 0


class FitsByGlobalChance(Fitted):
    def weight(self):
        return np.random.uniform(3, 5)
