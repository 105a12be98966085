"""Let spaCy multiply matrices with numpy instead of BLIS, which is faster in wide models.

For `spacy train --code numpy_products.py`; the products differ in rounding alone. It makes spaCy's larger
classifiers trainable on a plain CPU in the time a benchmark has; what is measured for speed is trained
and run without it.
"""

from __future__ import annotations

from collections.abc import Callable

import spacy
from spacy.language import Language
from thinc.api import Model, NumpyOps

NAME = "glossator_benchmarks.numpy_products"


@spacy.registry.callbacks(NAME)
def create_numpy_products() -> Callable[[Language], Language]:
    """Return the callback for `initialize.before_init`."""
    return use_numpy_products


def use_numpy_products(nlp: Language) -> Language:
    """Give the models of all components operations that leave products to numpy."""
    ops = NumpyOps(use_blis=False)
    for _, component in nlp.components:
        model = getattr(component, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            node.ops = ops
    return nlp
