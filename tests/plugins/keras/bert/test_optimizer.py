"""AdamW as fine-tuning needs it: rates that rise and fall, gradients gathered, what is spared decay."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs glossator[train]")
tf = pytest.importorskip("tensorflow", reason="needs glossator[train]")
pytest.importorskip("keras_hub", reason="needs glossator[train]")

from glossator_keras.bert.optimizer import GRADIENT_NORM, WEIGHT_DECAY, AdamW, Rates  # noqa: E402

pytestmark = pytest.mark.slow

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def small_network() -> keras.Model:
    """A network with a layer called as one of BERT's, and a head."""
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, name="transformer_layer_0")(inputs)
    norm = keras.layers.LayerNormalization(name="embeddings_layer_norm")(hidden)
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(norm))


def by_definition(weight, gradients, rate, decay: float) -> np.ndarray:
    """Loshchilov and Hutter 2019, algorithm 2, with a rate for each step.

    Epsilon is added as at the end of section 2 of Kingma and Ba 2015, as Keras does.
    """
    first = second = np.zeros_like(weight)
    for step, gradient in enumerate(gradients, start=1):
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        corrected = np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        body, own = rate(step)
        weight = weight * (1 - decay * body)
        weight = weight - own * corrected * first / (np.sqrt(second) + EPSILON)
    return weight


def test_a_rate_rises_and_falls_in_equal_steps():
    rates = Rates(backbone=1.0, head=1.0, warmup_steps=4, decay_steps=5)
    shares = [float(rates.share(tf.constant(step))) for step in range(12)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0])
    constant = Rates(backbone=1.0, head=1.0)
    assert [float(constant.share(tf.constant(step))) for step in (0, 1, 9999)] == [1, 1, 1]
    gathered = Rates(backbone=1.0, head=1.0, warmup_steps=2, accumulate=3)
    assert [float(gathered.share(tf.constant(step))) for step in (0, 2, 3, 6)] == [0.5, 0.5, 1, 1]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_it_steps_as_defined(accumulate):
    network = small_network()
    rates = Rates(backbone=0.01, head=0.1, warmup_steps=2, decay_steps=6, accumulate=accumulate)
    optimizer = AdamW(network, rates)
    variables = network.trainable_variables
    optimizer.build(variables)
    before = [variable.numpy().copy() for variable in variables]
    generator = np.random.default_rng(0)
    updates = []
    for _ in range(4):
        batches = [
            [generator.normal(size=variable.shape).astype(np.float32) for variable in variables]
            for _ in range(accumulate)
        ]
        for batch in batches:
            optimizer.apply([tf.constant(gradient) for gradient in batch])
        mean = [np.mean(each, axis=0) for each in zip(*batches, strict=True)]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in mean))
        updates.append([gradient * min(1, GRADIENT_NORM / norm) for gradient in mean])
    shares = [0.5, 1, 1, 5 / 6]
    for number, variable in enumerate(variables):
        of_body = variable.path.startswith("embeddings_layer_norm")
        own = rates.backbone if of_body else rates.head

        def rate(step, own=own):
            return rates.backbone * shares[step - 1], own * shares[step - 1]

        decay = WEIGHT_DECAY if variable.name == "kernel" else 0.0
        wanted = by_definition(before[number], [update[number] for update in updates], rate, decay)
        assert np.allclose(variable.numpy(), wanted, atol=1e-5), variable.path
