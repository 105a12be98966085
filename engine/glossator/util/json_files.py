"""Reading what stages wrote as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glossator.errors import PipelineError


def read_json_object(file: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Example:
        labels = tuple(read_json_object(folder / "crf.json")["labels"])

    Raises:
        PipelineError: The file is missing or damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PipelineError(f"{file} is missing or damaged: {error}") from error
    if not isinstance(content, dict):
        raise PipelineError(f"{file} is damaged: it is not a JSON object")
    return content
