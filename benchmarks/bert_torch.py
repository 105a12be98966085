"""The process of `bert.py` in which `transformers` runs on PyTorch; of Glossator it needs nothing.

    python bert_torch.py CHECKPOINT TEXTS.json THREADS

First it says which versions run. Then it reads "unsorted" or "sorted" from standard input, line by line,
and answers each with the seconds of one pass over all texts, from strings to last hidden states.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

BATCH = 32


@dataclass(frozen=True, slots=True)
class Bert:
    """A checkpoint as `transformers` loads it.

    Attributes:
        tokenizer: The fast one.
        model: In inference mode.
    """

    tokenizer: Any
    model: Any


def main(checkpoint: str, file: str, threads: str) -> None:
    """Answer until standard input ends."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(int(threads))
    texts: list[str] = json.loads(Path(file).read_text(encoding="utf-8"))
    bert = load(checkpoint)
    seconds(bert, texts[:BATCH], by_length=False)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        print(seconds(bert, texts, by_length=line.strip() == "sorted"), flush=True)


def load(checkpoint: str) -> Bert:
    """Load a checkpoint; of the layers above the last hidden states it needs none."""
    model = transformers.BertModel.from_pretrained(checkpoint, add_pooling_layer=False).float().eval()
    return Bert(transformers.AutoTokenizer.from_pretrained(checkpoint, use_fast=True), model)


@torch.inference_mode()
def seconds(bert: Bert, texts: Sequence[str], *, by_length: bool) -> float:
    """Return how long all texts take; what is longer than the model is cut off."""
    started = time.perf_counter()
    most = bert.model.config.max_position_embeddings
    ids = bert.tokenizer(list(texts), truncation=True, max_length=most)["input_ids"]
    # By word pieces, which leaves less padding than sorting by characters.
    order = sorted(ids, key=len) if by_length else ids
    for start in range(0, len(order), BATCH):
        batch = bert.tokenizer.pad({"input_ids": order[start : start + BATCH]}, return_tensors="pt")
        bert.model(**batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
