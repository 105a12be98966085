"""How a check ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check of one stage ended.

    Attributes:
        check: Its name, e.g. "batch invariance".
        outcome: "passed", "failed" or "not applicable".
        reason: Why it failed or does not apply; "" where it passed.
    """

    check: str
    outcome: Outcome
    reason: str = ""


class Failed(Exception):
    """Raised by a check: the stage breaks its promise; the message says how."""


class NotApplicable(Exception):
    """Raised by a check: the promise does not concern this stage; the message says why."""
