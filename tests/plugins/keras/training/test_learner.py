"""One step of learning: the loss it goes down, the average it keeps, and all that a restart needs."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.ml.linear_chain import log_partition, path_score  # noqa: E402
from glossator.ml.span_scheme import SpanScheme  # noqa: E402
from glossator_keras.crf import CRF  # noqa: E402
from glossator_keras.training.learner import Learner, set_seed  # noqa: E402
from glossator_keras.training.losses import sequence_loss  # noqa: E402

pytestmark = pytest.mark.slow

LABELS = 3


def network(*, dropout: float = 0.3) -> keras.Model:
    """A network with weights that are taught, counted (of a normalization) and frozen."""
    rows = keras.Input((None, 4), name="rows")
    frozen = keras.layers.Dense(4, trainable=False, kernel_initializer="orthogonal")
    hidden = keras.layers.BatchNormalization()(frozen(rows))
    hidden = keras.layers.Dropout(dropout)(hidden)
    return keras.Model({"rows": rows}, keras.layers.Dense(LABELS)(hidden))


def learner(seed: int = 0, **settings) -> Learner:
    set_seed(seed)
    made = network(**settings)
    return Learner(made, sequence_loss(made), (None, None), learn_rate=0.05)


def lesson(seed: int = 0):
    """Rows of numbers, and labels that they tell."""
    rows = np.random.default_rng(seed).normal(size=(5, 6, 4)).astype(np.float32)
    return {"rows": rows}, rows[:, :, :LABELS].argmax(axis=2).astype(np.int32)


def test_the_loss_falls():
    taught = learner()
    losses = [taught.step(*lesson()) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert taught.steps == 40


def test_what_is_kept_is_the_average_of_the_weights_on_the_way():
    taught = learner()
    wanted = [weight.copy() for weight in taught.network.get_weights()]
    trainable = {id(weight) for weight in taught.network.trainable_variables}
    for step in range(30):
        taught.step(*lesson(step))
        # Early steps count as many as there were, later ones a hundred.
        share = 1 - min(0.99, (1 + step) / (10 + step))
        for place, weight in enumerate(taught.network.weights):
            share_of_this = share if id(weight) in trainable else 1.0
            wanted[place] += share_of_this * (weight.numpy() - wanted[place])
    kept = taught.averaged_weights()
    assert [weight.shape for weight in kept] == [weight.shape for weight in taught.network.weights]
    for weight, average in zip(kept, wanted, strict=True):
        assert weight == pytest.approx(average, abs=1e-5)
    left = taught.network.get_weights()
    assert any(not np.allclose(a, b, atol=1e-3) for a, b in zip(kept, left, strict=True))


def test_a_restored_run_goes_on_as_if_it_had_never_stopped():
    whole = learner()
    for step in range(4):
        whole.step(*lesson(step))
    state = {name: array.copy() for name, array in whole.state().items()}
    other = learner(seed=9)
    other.step(*lesson(9))
    keras.utils.set_random_seed(77)  # whatever other code does with the random numbers of all
    other.restore(state)
    for step in range(4, 8):
        assert other.step(*lesson(step)) == whole.step(*lesson(step))
    for one, another in zip(other.averaged_weights(), whole.averaged_weights(), strict=True):
        assert np.array_equal(one, another)


@pytest.mark.parametrize("seed", [0, 2**31 + 7])
def test_a_seed_decides_everything(seed):
    losses = []
    for start in (seed, seed, seed + 1):
        keras.utils.set_random_seed(len(losses))
        taught = learner(start)
        losses.append([taught.step(*lesson()) for _ in range(3)])
    assert losses[0] == losses[1] != losses[2]


def test_the_loss_of_a_softmax_is_the_mean_over_the_words_that_have_labels():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 5, LABELS)).astype(np.float32)
    labels = generator.integers(-1, LABELS, size=(3, 5))
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    known = labels >= 0
    wanted = -np.log(shares[known, labels[known]])
    loss = sequence_loss(network())
    assert float(loss(labels, logits)) == pytest.approx(wanted.mean(), abs=1e-5)
    logits[labels < 0] = 1e6
    assert float(loss(labels, logits)) == pytest.approx(wanted.mean(), abs=1e-5)
    assert float(loss(np.full((3, 5), -1), logits)) == 0


def test_the_loss_of_a_chain_is_that_of_its_sequences_for_each_word():
    scheme = SpanScheme.bio(("X",))
    emissions = keras.Input((None, LABELS), name="emissions")
    crf = CRF.over(scheme)
    model = keras.Model({"emissions": emissions}, crf(emissions))
    generator = np.random.default_rng(0)
    for weight in crf.weights:
        weight.assign(generator.normal(size=weight.shape))
    lengths = np.array([4, 2, 3])
    labels = np.array([[0, 1, 2, 0], [1, 2, -1, -1], [0, 0, 1, -1]])
    logits = generator.normal(size=(3, 4, LABELS)).astype(np.float32)
    likely = path_score(logits, lengths, labels, *crf.potentials())
    wanted = (log_partition(logits, lengths, *crf.potentials()) - likely).sum() / lengths.sum()
    assert float(sequence_loss(model)(labels, logits)) == pytest.approx(wanted, abs=1e-5)
