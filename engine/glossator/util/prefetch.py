"""Works one batch ahead: processes one while the next is read and the last is written."""

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

TURN_SECONDS = 0.0002  # instead of Python's 5 ms; see `_short_turns`


def prefetch_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in order, one item ahead of the caller.

    The function is called in one other thread, for one item at a time, in a copy of the caller's
    context. Meanwhile the next item is drawn from `items`, and the caller uses the last result: three
    are alive at a time. A single item is processed without a thread.

    Close the generator to stop early; that waits for the call in progress, and leaves no thread.

    Example:
        for annotated in prefetch_map(pipeline.annotate, read_batches(file)):
            write(annotated)

    Raises:
        Exception: An error of the function is raised in place of its result, an error of `items` after the
            results of all items before it.
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

    A thread returns from numpy or ONNX Runtime many times per batch. Each time it would wait up to 5 ms
    while the other thread runs Python code, and hardly advance.
    """
    usual = sys.getswitchinterval()
    if usual <= TURN_SECONDS:  # set by the user, or by another stream that is still open
        yield
        return
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _until_failure(items: Iterable[Item], failures: list[Exception]) -> Iterator[Item]:
    """Yield the items; store an error that ends them early instead of raising it."""
    try:
        yield from items
    except Exception as error:
        failures.append(error)
