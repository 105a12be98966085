"""Working one batch ahead: one is worked on while the next is read and the last is written."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TURN_SECONDS = 0.0002


def prefetch_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in order, working on one while its neighbours are in hand.

    The function is called in one other thread, for one item at a time, in a copy of the caller's
    context. Meanwhile the next item is drawn from `items`, and the caller has the last result: three
    are alive at a time. A single item needs no thread and gets none.

    Close the generator to stop early; that waits for the call in progress, and leaves no thread.

    Raises:
        Exception: What the function raised, where its result is due; what `items` raised, after the
            results of all that came before.
    """
    failures: list[Exception] = []
    drawn = _until_failure(items, failures)
    waiting = deque(islice(drawn, 2))
    if len(waiting) == 1:
        yield function(waiting.popleft())
    elif waiting:
        run = copy_context().run  # thinc keeps its backend in the context
        with ThreadPoolExecutor(max_workers=1) as other, _short_turns():
            running = other.submit(run, function, waiting.popleft())
            while waiting:
                result = running.result()
                running = other.submit(run, function, waiting.popleft())
                yield result
                del result  # before the next is drawn, or four would be alive
                waiting.extend(islice(drawn, 1))
            yield running.result()
    if failures:
        raise failures[0]


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take shorter turns at the interpreter.

    One that comes back from numpy or ONNX Runtime, which it does many times a batch, else waits for
    up to 5 ms at a time while the other is busy in Python, and hardly gets on.
    """
    usual = sys.getswitchinterval()
    if usual <= TURN_SECONDS:  # the user's choice, or that of a stream begun before
        yield
        return
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _until_failure(items: Iterable[Item], failures: list[Exception]) -> Iterator[Item]:
    """Yield the items; keep what ends them early instead of raising it."""
    try:
        yield from items
    except Exception as error:
        failures.append(error)
