"""Every error a user can meet: what was wrong, where, and what to do about it."""

from __future__ import annotations


class GlossatorError(Exception):
    """Base of all errors raised on purpose; its message is written for the user.

    `exit_code` is what the command line ends with: 1 for a failure, 2 for misuse.
    """

    exit_code = 1


class UsageError(GlossatorError):
    """A call or a command line that cannot mean anything."""

    exit_code = 2


class ConfigError(GlossatorError):
    """A pipeline description that cannot be built."""

    exit_code = 2


class PluginError(GlossatorError):
    """A plugin that is missing, broken, blocked or ambiguous."""


class UnknownNameError(PluginError):
    """A stage, format or command that no plugin has."""

    exit_code = 2


class StageError(GlossatorError):
    """A stage that failed while it was built, trained or run."""


class PipelineError(GlossatorError):
    """A pipeline folder that is missing, damaged or made for another version."""


class DataError(GlossatorError):
    """Something wrong in a file that was read.

    Args:
        message: What is wrong and what to do.
        file: The file, as the user named it.
        line: 1-based line in that file, or None where the whole file is meant.
    """

    def __init__(self, message: str, *, file: str = "", line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")
        self.message = message
        self.file = file
        self.line = line
