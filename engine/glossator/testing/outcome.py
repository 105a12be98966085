"""The outcome of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check of one stage.

    Example:
        CheckResult("resumes", "not applicable", "it does not learn in steps")

    Attributes:
        check: Its name, e.g. "batch invariance".
        outcome: "passed", "failed" or "not applicable".
        reason: Why it failed or does not apply; "" if it passed.
    """

    check: str
    outcome: Outcome
    reason: str = ""


class Failed(Exception):
    """Raised by a check: the stage breaks the contract; the message says how.

    Example:
        raise Failed(f"{count} answers for {len(docs)} Docs")
    """


class NotApplicable(Exception):
    """Raised by a check: it does not apply to the stage; the message says why.

    Example:
        raise NotApplicable("it does not learn")
    """
