"""The training loop is tested on stages that learn in epochs."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _stepwise(stepwise: None) -> None:
    """Install them for every module of this folder."""
