from __future__ import annotations

import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.util.prefetch import prefetch_map


class Batch:
    """Something that can be seen to be alive."""

    def __init__(self, number: int) -> None:
        self.number = number


class Broken(Exception):
    pass


def counting(count: int, then: BaseException | None = None) -> Iterator[int]:
    yield from range(count)
    if then is not None:
        raise then


def outcome(results: Iterator[int]) -> tuple[list[int], type[BaseException] | None]:
    """What came, and what ended it."""
    came = []
    try:
        for result in results:
            came.append(result)
    except BaseException as error:
        return came, type(error)
    return came, None


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_it_is_map_whatever_fails_where(count, bad, items_fail):
    def square(number: int) -> int:
        if number == bad:
            raise ZeroDivisionError
        return number * number

    error = Broken() if items_fail else None
    before = threading.active_count()
    assert outcome(prefetch_map(square, counting(count, error))) == outcome(
        map(square, counting(count, error))
    )
    assert threading.active_count() == before


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 5))
def test_closing_it_leaves_no_thread(count, taken):
    before = threading.active_count()
    with closing(prefetch_map(str, range(count))) as results:
        for _ in zip(range(taken), results, strict=False):
            pass
    assert threading.active_count() == before


@pytest.mark.parametrize("count", range(5))
def test_an_interrupt_while_reading_ends_it_at_once(count):
    before = threading.active_count()
    came, error = outcome(prefetch_map(str, counting(count, KeyboardInterrupt())))
    assert error is KeyboardInterrupt
    assert came == [str(number) for number in range(max(0, count - 1))]
    assert threading.active_count() == before


def test_the_next_is_drawn_and_the_last_is_in_hand_while_one_is_worked_on():
    """The function waits for what happens meanwhile, and would wait for ever if it did not."""
    in_hand, drawn = [threading.Event() for _ in range(9)], [threading.Event() for _ in range(9)]

    def items():
        for number in range(9):
            drawn[number].set()
            yield number

    def work(number: int) -> int:
        if 0 < number < 8:
            assert in_hand[number - 1].wait(60)
            assert drawn[number + 1].wait(60)
        return number

    for number in prefetch_map(work, items()):
        in_hand[number].set()


def test_calls_are_made_one_at_a_time_in_one_other_thread():
    callers, working = set(), threading.Lock()

    def work(number: int) -> int:
        assert working.acquire(blocking=False)
        callers.add(threading.current_thread())
        working.release()
        return number

    assert list(prefetch_map(work, range(50))) == list(range(50))
    assert len(callers) == 1
    assert threading.current_thread() not in callers


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_item_needs_no_thread(count):
    threads = list(prefetch_map(lambda _: threading.current_thread(), range(count)))
    assert threads == [threading.current_thread()] * count


def test_three_are_alive_at_a_time():
    alive: weakref.WeakSet[Batch] = weakref.WeakSet()
    most = 0

    def batches():
        nonlocal most
        for number in range(20):
            batch = Batch(number)
            alive.add(batch)
            most = max(most, len(alive))
            yield batch
            del batch

    gc.disable()
    try:
        for batch in prefetch_map(lambda batch: batch, batches()):
            assert batch in alive
    finally:
        gc.enable()
    assert most == 3


def test_the_function_sees_the_caller_s_context():
    setting: contextvars.ContextVar[str] = contextvars.ContextVar("setting", default="unset")
    setting.set("the caller's")
    assert list(prefetch_map(lambda _: setting.get(), range(3))) == ["the caller's"] * 3


def test_turns_at_the_interpreter_are_short_only_meanwhile():
    usual = sys.getswitchinterval()
    first, second = prefetch_map(str, range(5)), prefetch_map(str, range(5))
    next(first)
    next(second)
    assert sys.getswitchinterval() < usual
    list(first)  # ends before the second, which began inside it
    list(second)
    assert sys.getswitchinterval() == usual
