"""`Pipeline.pipe`: order, bounds, threads, and what breaks off."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_pipelines import fixed, toy

from glossator.errors import StageError
from glossator.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def trained() -> Pipeline:
    return toy()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(["", " ", "Ana", "Lee sailed to Oslo. Home!", "the soup " * 9]), max_size=8),
    st.integers(1, 60),
)
def test_a_stream_keeps_order_and_count_whatever_the_batches(trained, texts, batch_words):
    docs = list(trained.pipe(iter(texts), batch_words=batch_words))
    assert [doc.text for doc in docs] == texts
    for doc in docs:
        alone = trained(doc.text)
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [
            (e.start, e.end, e.label_) for e in alone.ents
        ]
        assert [t.tag_ for t in doc] == [t.tag_ for t in alone]
        assert doc.cats == pytest.approx(alone.cats, abs=1e-5)
        assert doc.spans["ner"].attrs["scores"] == pytest.approx(alone.spans["ner"].attrs["scores"], abs=1e-5)


def test_a_stream_is_bounded_even_where_its_docs_are_empty(trained):
    taken = 0

    def texts():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield ""

    with closing(trained.pipe(texts(), batch_words=10)) as docs:
        next(docs)
        assert taken <= 21
        for _ in range(30):
            next(docs)
        assert taken <= 51


def test_a_stream_that_breaks_off_loses_no_batch_that_was_whole(trained):
    def texts():
        yield from ("Ana", "Lee", "Skye")
        raise ConnectionError

    came = []

    def collect():
        for doc in trained.pipe(texts(), batch_words=1):
            came.append(doc.text)

    with pytest.raises(ConnectionError):
        collect()
    assert came == ["Ana", "Lee"]


def test_batches_are_annotated_in_another_thread_and_a_single_one_in_this():
    threads = []

    def note(docs):
        threads.append(threading.current_thread())
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(note))
    pipeline("One text.")
    list(pipeline.pipe(["One text.", "Two texts."]))
    assert threads == [threading.current_thread()] * 2
    before = threading.active_count()
    list(pipeline.pipe(["One text."] * 5, batch_words=3))
    assert len(threads) == 2 + 5
    assert threading.current_thread() not in threads[2:]
    assert threading.active_count() == before


def test_no_stage_is_run_by_two_threads_at_once():
    running = threading.Lock()

    def answer(docs):
        if not running.acquire(blocking=False):
            raise RuntimeError("already running")
        time.sleep(0.002)
        running.release()
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(answer))
    texts = [f"Text {number}." for number in range(20)]
    streams = pipeline.pipe(texts, batch_words=1), pipeline.pipe(texts, batch_words=1)
    for number, docs in enumerate(zip(*streams, strict=True)):
        assert pipeline("Another.").text == "Another."
        assert {doc.text for doc in docs} == {f"Text {number}."}


def test_a_stream_fails_at_the_batch_that_is_wrong():
    def answer(docs):
        if any("bad" in doc.text for doc in docs):
            raise ZeroDivisionError("by nothing")
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(answer))
    docs = pipeline.pipe(["good", "fine", "bad", "late"], batch_words=1)
    assert [next(docs).text, next(docs).text] == ["good", "fine"]
    with pytest.raises(StageError, match="by nothing"):
        next(docs)
