"""How many threads matrix products run in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def on_one_thread(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Decorate a function to run its matrix products in one thread.

    They are so small here that threads wait for each other more than they work and, on a busy machine,
    waste its cores while they wait: one sentence took ten times as long.

    Example:
        @on_one_thread
        def predict(self, docs, vectors): ...
    """

    @functools.wraps(function)
    def limited(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
