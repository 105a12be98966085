"""Stages that learn in epochs and draw at random: the built-in ones are fitted at once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator

import pytest
from shared_fixtures import install_plugin

STEPWISE = '''
import numpy as np

import glossator
from glossator.builtin.crf import CRFTagger
from glossator.builtin.linear import LinearClassifier


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="stepwise", factory=StepwiseTagger)


@glossator.hookimpl
def glossator_classifiers():
    yield glossator.Stage(name="stepwise", factory=StepwiseClassifier)


class Stepwise:
    """Takes the steps of a built-in stage, each shaken at random, and cannot be fitted at once."""

    fit = None  # not at once

    def initialize(self, examples, space, *, seed):
        super().initialize(examples, space, seed=seed)
        self.drawn = [seed, 0]

    def update(self, examples, vectors):
        loss = super().update(examples, vectors)
        generator = np.random.default_rng(self.drawn)
        self.drawn[1] += 1

        def shaken(array, _):
            return array + generator.normal(scale=self.noise, size=array.shape).astype(np.float32)

        self._weights = self._weights.combined(self._weights, shaken)
        return loss

    def training_state(self):
        return {**super().training_state(), "drawn": np.asarray(self.drawn)}

    def restore(self, state):
        state = dict(state)
        self.drawn = state.pop("drawn").tolist()
        super().restore(state)


class StepwiseClassifier(Stepwise, LinearClassifier):
    noise = 0.3


class StepwiseTagger(Stepwise, CRFTagger):
    noise = 0.01

    def update(self, examples, vectors):
        loss = super().update(examples, vectors)
        self._weights.sparse[-1] = 0  # of what the table does not have
        return loss
'''


@pytest.fixture(scope="module")
def stepwise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the plugin `stepwise`, with a tagger and a classifier of this name, for other processes too."""
    folder = tmp_path_factory.mktemp("stepwise-site")
    install_plugin(folder, "stepwise", STEPWISE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        importlib.invalidate_caches()
        yield
    sys.modules.pop("glossator_stepwise", None)
