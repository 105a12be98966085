"""A stage that learns in epochs, for the tests of the training loop: built-in ones are fitted at once."""

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
from glossator.builtin.linear import LinearClassifier
from glossator.ml.logistic_regression import Weights


@glossator.hookimpl
def glossator_classifiers():
    yield glossator.Stage(name="stepwise", factory=StepwiseClassifier)


class StepwiseClassifier(LinearClassifier):
    """Takes the steps of `linear`, each shaken at random, and cannot be fitted at once."""

    fit = None

    def initialize(self, examples, space, *, seed):
        super().initialize(examples, space, seed=seed)
        self.drawn = [seed, 0]

    def update(self, examples, vectors):
        loss = super().update(examples, vectors)
        generator = np.random.default_rng(self.drawn)
        self.drawn[1] += 1
        shapes = (self._weights.sparse.shape, self._weights.dense.shape)
        noise = (generator.normal(scale=0.3, size=shape).astype(np.float32) for shape in shapes)
        self._weights = self._weights.combined(Weights(*noise), np.add)
        return loss

    def training_state(self):
        return {**super().training_state(), "drawn": np.asarray(self.drawn)}

    def restore(self, state):
        super().restore(state)
        self.drawn = state["drawn"].tolist()
'''


@pytest.fixture(scope="module", autouse=True)
def _stepwise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install the plugin `stepwise`, for other processes too."""
    folder = tmp_path_factory.mktemp("stepwise-site")
    install_plugin(folder, "stepwise", STEPWISE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        importlib.invalidate_caches()
        yield
    sys.modules.pop("glossator_stepwise", None)
