"""The whole plugin API: the records that a plugin declares, and the hooks that declare them.

A plugin is a module named by an entry point of the group `glossator`. Its hook functions return
records; nothing heavy is imported until a stage is built, because a record names its factory
as `"package.module:Class"`.

Example:
    import glossator

    @glossator.hookimpl
    def glossator_taggers():
        yield glossator.Stage(name="shouting", factory="shouting.tagger:ShoutingTagger",
                              summary="marks words in capitals")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pluggy

# Records of another version are refused at once: the error then says what to upgrade.
API_VERSION = 1

Kind = Literal["tokenizer", "embedder", "classifier", "tagger"]
KINDS: tuple[Kind, ...] = ("tokenizer", "embedder", "classifier", "tagger")

hookspec = pluggy.HookspecMarker("glossator")
hookimpl = pluggy.HookimplMarker("glossator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A tokenizer, embedder, classifier or tagger that a plugin provides.

    Example:
        Stage(name="shouting", factory="shouting.tagger:ShoutingTagger", summary="marks words in capitals")

    Attributes:
        name: Its name in configs, e.g. "bilstm-crf"; unique per kind and plugin.
        factory: "package.module:Class", imported when the stage is first built, or the callable
            itself. It is called with the settings of the config's section as keyword arguments.
        summary: One line for `glossator plugins list`.
        api: The version of this API that the stage was written for.
    """

    name: str
    factory: str | Callable[..., Any]
    summary: str = ""
    api: int = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format; its factory makes a `glossator.formats.FileFormat`.

    Example:
        Format(name="ann", factory="my_plugin.brat:Standoff", suffixes=(".ann",))

    Attributes:
        name: Its name for `--from` and `--to`, e.g. "jsonl".
        factory: As in `Stage`; called with the format's options as keyword arguments.
        suffixes: File endings that select this format when none is named, e.g. (".jsonl",).
        summary: One line for `glossator plugins list`.
        api: The version of this API that the format was written for.
    """

    name: str
    factory: str | Callable[..., Any]
    suffixes: tuple[str, ...] = ()
    summary: str = ""
    api: int = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRecord:
    """A trained pipeline inside a package.

    Example:
        PipelineRecord(name="en-letters", path=Path(__file__).parent / "pipeline", summary="English, MIT")

    Attributes:
        name: Its name for `glossator.load(name)` and `--pipeline`, e.g. "en".
        path: The pipeline's folder inside the package.
        summary: One line: language, layers, licence.
        api: The version of this API that the record was written for.
    """

    name: str
    path: Path
    summary: str = ""
    api: int = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand of `glossator`; `--help` shows the summary without importing the command.

    Example:
        Command(name="vectors", command="my_plugin.cli:group", summary="word vectors")

    Attributes:
        name: The word typed after `glossator`.
        command: "package.module:function" of a click command.
        summary: One line for `glossator --help`.
        api: The version of this API that the record was written for.
    """

    name: str
    command: str
    summary: str = ""
    api: int = API_VERSION


class Specs:
    """The hooks. A plugin implements those for which it has something to declare.

    Example:
        @glossator.hookimpl
        def glossator_classifiers():
            yield glossator.Stage(name="length", factory="my_plugin.length:LengthClassifier")
    """

    @hookspec
    def glossator_tokenizers(self) -> Iterable[Stage]:  # type: ignore[empty-body]
        """Declare tokenizers: `glossator.stages.Tokenizer`.

        Example:
            yield Stage(name="characters", factory="my_plugin.characters:CharacterTokenizer")
        """

    @hookspec
    def glossator_embedders(self) -> Iterable[Stage]:  # type: ignore[empty-body]
        """Declare embedders: `glossator.stages.Embedder` or `TableEmbedder`.

        Example:
            yield Stage(name="vectors", factory="my_plugin.vectors:StaticVectors")
        """

    @hookspec
    def glossator_classifiers(self) -> Iterable[Stage]:  # type: ignore[empty-body]
        """Declare document classifiers: `glossator.stages.Classifier`.

        Example:
            yield Stage(name="linear", factory="glossator.builtin.linear:LinearClassifier")
        """

    @hookspec
    def glossator_taggers(self) -> Iterable[Stage]:  # type: ignore[empty-body]
        """Declare taggers: `glossator.stages.TokenTagger` or `SpanTagger`.

        Example:
            yield Stage(name="crf", factory="glossator.builtin.crf:CRFTagger")
        """

    @hookspec
    def glossator_formats(self) -> Iterable[Format]:  # type: ignore[empty-body]
        """Declare file formats that can be read, written or both.

        Example:
            yield Format(name="ann", factory="my_plugin.brat:Standoff", suffixes=(".ann",))
        """

    @hookspec
    def glossator_pipelines(self) -> Iterable[PipelineRecord]:  # type: ignore[empty-body]
        """Declare trained pipelines inside the package.

        Example:
            yield PipelineRecord(name="en-letters", path=Path(__file__).parent / "pipeline")
        """

    @hookspec
    def glossator_commands(self) -> Iterable[Command]:  # type: ignore[empty-body]
        """Declare subcommands of the command line.

        Example:
            yield Command(name="vectors", command="my_plugin.cli:group")
        """
