"""The errors that Glossator raises on purpose: each says what was wrong, where, and what to do."""

from __future__ import annotations


class GlossatorError(Exception):
    """Base of all errors raised on purpose; its message is written for the user.

    Example:
        try:
            pipeline = glossator.load("models/mine")
        except glossator.GlossatorError as error:
            sys.exit(f"cannot load the pipeline: {error}")

    Attributes:
        exit_code: The exit code of the command line: 1 for a failure, 2 for misuse.
    """

    exit_code = 1


class UsageError(GlossatorError):
    """A function or command was called with arguments that make no sense.

    Example:
        raise UsageError(f"seeds must be at least 1, not {seeds}")
    """

    exit_code = 2


class ConfigError(GlossatorError):
    """A config is invalid, or a stage cannot be built from it.

    Example:
        raise ConfigError(f"linear: strength must be more than 0, not {strength}")
    """

    exit_code = 2


class PluginError(GlossatorError):
    """A plugin is missing, broken, blocked or ambiguous.

    Example:
        raise PluginError(f"several plugins have a tagger {name!r}; write one of: a/ner, b/ner")
    """


class UnknownNameError(PluginError):
    """No plugin provides a stage, format or command of this name.

    Example:
        raise UnknownNameError("no tagger 'cfr' (did you mean 'crf'?)")
    """

    exit_code = 2


class StageError(GlossatorError):
    """A stage failed while it was built, trained or run.

    Example:
        raise StageError("linear: it is not trained yet")
    """


class PipelineError(GlossatorError):
    """A pipeline folder is missing, damaged or made for another version.

    Example:
        raise PipelineError(f"{file} is missing or damaged: {error}")
    """


class DataError(GlossatorError):
    """The content of a file is invalid.

    Example:
        raise DataError("a row has 3 columns instead of 4", file="people.conll", line=12)

    Args:
        message: What is wrong and what to do.
        file: The file, as the user named it; "" if there is none.
        line: Its line, counted from 1; None if the whole file is meant.
    """

    def __init__(self, message: str, *, file: str = "", line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")
        self.message = message
        self.file = file
        self.line = line
