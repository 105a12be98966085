"""What is exported answers as Keras does, by operators that ONNX Runtime is fast with."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs glossator[train]")
tf = pytest.importorskip("tensorflow", reason="needs glossator[train]")

import onnx  # noqa: E402

from glossator.errors import StageError  # noqa: E402
from glossator_keras.inference.runtime import check_agreement, keras_network, onnx_network  # noqa: E402
from glossator_keras.onnx_export.to_onnx import to_onnx  # noqa: E402

pytestmark = pytest.mark.slow

COLUMNS = 6
LENGTHS = [(1,), (5,), (3, 9, 1), (7, 7), (2, 0, 4)]
CELLS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}


@pytest.fixture(autouse=True)
def _fresh_weights():
    keras.utils.set_random_seed(0)


def inputs(*, masked: bool = True):
    """Rows of numbers and their lengths, as inputs; and a mask, or None."""
    rows = keras.Input((None, COLUMNS), name="rows")
    lengths = keras.Input((), dtype="int32", name="lengths")
    steps = keras.ops.cumsum(keras.ops.ones_like(rows[:, :, 0], dtype="int32"), axis=1)
    mask = steps <= lengths[:, None]
    return {"rows": rows, "lengths": lengths}, rows, mask if masked else None


def random_biases(model: keras.Model) -> keras.Model:
    """Give biases values: they are 0 or 1 in a fresh network, where an error in them would not show."""
    generator = np.random.default_rng(1)
    model.set_weights([w + generator.normal(scale=0.1, size=w.shape) for w in model.get_weights()])
    return model


def batch_of(lengths: tuple[int, ...]) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(len(lengths))
    rows = generator.normal(size=(len(lengths), max(lengths), COLUMNS)).astype(np.float32)
    return {"rows": rows, "lengths": np.asarray(lengths, dtype=np.int32)}


def assert_answers_alike(model: keras.Model, *, everywhere: bool = False) -> Counter[str]:
    """Compare Keras's answers with those of its export; return how often the export has each operator."""
    exported = to_onnx(model)
    with_onnx, with_keras = onnx_network(exported), keras_network(model)
    for lengths in LENGTHS:
        batch = batch_of(lengths)
        got, wanted = with_onnx(batch), with_keras(batch)
        assert got.shape == wanted.shape
        mask = np.arange(max(lengths)) < batch["lengths"][:, None]
        there = np.ones(len(wanted), dtype=bool) if everywhere or wanted.ndim == 2 else mask
        assert got[there] == pytest.approx(wanted[there], abs=1e-5)
    return Counter(node.op_type for node in onnx.load_from_string(exported).graph.node)


def recurrent(cell: str, two_directions: bool, width: int = 5, **settings) -> keras.Layer:
    layer = CELLS[cell](width, **settings)
    return keras.layers.Bidirectional(layer) if two_directions else layer


def at_each_step(rows, step):
    """Say the same at each step of some rows."""
    return keras.ops.zeros_like(rows[:, :, :1]) + step[:, None, :]


@pytest.mark.parametrize(
    ("cell", "two_directions", "masked"),
    [(cell, *rest) for cell in CELLS for rest in ((False, True), (True, True), (True, False))],
    ids=lambda value: str(value),
)
def test_recurrent_layers_stacked_and_to_their_last_state(cell, two_directions, masked):
    given, hidden, mask = inputs(masked=masked)
    for width in (5, 3):
        hidden = recurrent(cell, two_directions, width, return_sequences=True)(hidden, mask=mask)
    last = at_each_step(hidden, recurrent(cell, two_directions, 4)(hidden, mask=mask))
    model = random_biases(keras.Model(given, keras.layers.Concatenate()([hidden, last])))
    operators = assert_answers_alike(model, everywhere=not masked)
    assert operators[cell] == 3
    assert not {"Loop", "Scan", "If"} & operators.keys()


def test_the_last_state_of_no_step_at_all():
    given, rows, mask = inputs()
    states = [recurrent(cell, True)(rows, mask=mask) for cell in CELLS]
    assert_answers_alike(random_biases(keras.Model(given, keras.layers.Concatenate()(states))))


@pytest.mark.parametrize("width", [1, 2])
def test_narrow_layers_are_not_mistaken_for_one_another(width):
    given, hidden, mask = inputs()
    for cell in ("LSTM", "GRU", "LSTM"):
        hidden = recurrent(cell, width == 2, 1, return_sequences=True)(hidden, mask=mask)
    operators = assert_answers_alike(random_biases(keras.Model(given, hidden)))
    assert (operators["LSTM"], operators["GRU"]) == (2, 1)


def alone(layer: keras.Layer) -> keras.Model:
    given, rows, _ = inputs()
    return random_biases(keras.Model(given, layer(rows)))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.LSTM(4, activation="relu", return_sequences=True),
        lambda: keras.layers.GRU(4, reset_after=False, return_sequences=True),
        lambda: keras.layers.LSTM(4, use_bias=False, return_sequences=True),
        lambda: keras.layers.LSTM(4, go_backwards=True, return_sequences=True),
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True), merge_mode="sum"),
        lambda: keras.layers.Bidirectional(
            keras.layers.LSTM(4, return_sequences=True),
            backward_layer=keras.layers.GRU(4, return_sequences=True, go_backwards=True),
        ),
        lambda: keras.layers.Bidirectional(
            keras.layers.LSTM(4, return_sequences=True),
            backward_layer=keras.layers.LSTM(3, return_sequences=True, go_backwards=True),
        ),
        lambda: keras.layers.Conv1D(4, 3, padding="same", activation="gelu"),
    ],
    ids=[
        "LSTM with relu",
        "GRU that resets before",
        "LSTM without biases",
        "LSTM that goes backwards",
        "directions summed",
        "directions of two kinds",
        "directions of two widths",
        "convolution",
    ],
)
def test_layers_that_onnx_has_no_operator_for_or_another(layer):
    assert_answers_alike(alone(layer()), everywhere=True)


def test_tables_come_out_whole():
    ids = keras.Input((None,), dtype="int32", name="ids")
    tables = [keras.layers.Embedding(rows, 4) for rows in (50, 50, 7)]
    model = keras.Model({"ids": ids}, tables[0](ids) + 2 * tables[1](ids) + 4 * tables[2](ids % 7))
    batch = {"ids": np.arange(50, dtype=np.int32).reshape(5, 10)}
    [got, wanted] = (network(batch) for network in (onnx_network(to_onnx(model)), keras_network(model)))
    assert got == pytest.approx(wanted, abs=1e-6)


def test_a_mask_that_a_table_makes_reaches_the_layers_after_it():
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = keras.layers.Embedding(20, 4, mask_zero=True)(ids)
    model = random_biases(keras.Model({"ids": ids}, keras.layers.LSTM(5)(embedded)))
    batch = {"ids": np.array([[3, 4, 5, 6], [7, 8, 0, 0]], dtype=np.int32)}
    got, wanted = onnx_network(to_onnx(model))(batch), keras_network(model)(batch)
    assert got == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("approximate", [False, True], ids=["exact", "by tanh"])
def test_gelu(approximate):
    model = alone(
        keras.layers.Dense(4, activation=lambda x: keras.activations.gelu(4 * x, approximate=approximate))
    )
    operators = assert_answers_alike(model, everywhere=True)
    assert operators["Erf"] == (not approximate)
    assert not operators["Erfc"]


@keras.saving.register_keras_serializable(package="glossator-tests")
class InPython(keras.layers.Layer):
    """Computes what TensorFlow calls back to Python for: nothing that could be exported."""

    def call(self, inputs):
        doubled = tf.numpy_function(lambda rows: 2 * rows, [inputs], "float32")
        return tf.ensure_shape(doubled, inputs.shape)


def test_a_network_that_cannot_be_exported_says_what_to_do():
    given, rows, _ = inputs()
    layer = keras.layers.LSTM(COLUMNS, return_sequences=True)
    used_twice = keras.Model(given, layer(layer(rows)))
    for model in (alone(InPython()), used_twice):
        with pytest.raises(
            StageError, match=r'cannot be exported to ONNX: (.|\n)*runtime = "keras", or change'
        ):
            to_onnx(model)


def test_a_wrong_export_is_found_out():
    given, rows, mask = inputs()
    # It hides what comes first, where an operator of ONNX can only leave out what comes last.
    model = keras.Model(given, keras.layers.LSTM(4, return_sequences=True)(rows, mask=mask[:, ::-1]))
    batch = batch_of((3, 5))
    networks = onnx_network(to_onnx(model)), keras_network(model)
    mask = np.arange(5) >= 5 - batch["lengths"][:, None]
    with pytest.raises(
        StageError, match=r"differs from Keras's by [0-9.]+: annotate with runtime = \"keras\""
    ):
        check_agreement(*networks, batch, mask)


def test_networks_agree_where_they_are_asked_to():
    batch = batch_of((3, 5))
    mask = np.arange(5) < batch["lengths"][:, None]

    def one(given):
        return given["rows"]

    def other(given, inside: float, outside: float):
        return given["rows"] + np.where(mask, inside, outside)[:, :, None].astype(np.float32)

    check_agreement(one, lambda given: other(given, 1e-5, 9.0), batch, mask)
    for wrong in (1e-2, np.nan, np.inf):
        with pytest.raises(StageError, match="differs"):
            check_agreement(one, lambda given, wrong=wrong: other(given, wrong, 0.0), batch, mask)
