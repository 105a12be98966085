"""The built-in plugin: the stages and formats that the engine ships with.

The records name their factories as strings, so that this module stays light.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from glossator.hookspecs import Format, Stage, hookimpl

if TYPE_CHECKING:
    from glossator.formats import Reader


@hookimpl
def glossator_tokenizers() -> Iterator[Stage]:
    """Declare the built-in tokenizers."""
    yield Stage(
        name="spacy",
        factory="glossator.builtin.tokenizers:SpacyTokenizer",
        summary="spaCy's tokenizer for the pipeline's language",
    )
    yield Stage(
        name="whitespace",
        factory="glossator.builtin.tokenizers:WhitespaceTokenizer",
        summary="words separated by white space, for text that is tokenized already",
    )


@hookimpl
def glossator_classifiers() -> Iterator[Stage]:
    """Declare the built-in classifiers."""
    yield Stage(
        name="linear",
        factory="glossator.builtin.linear:LinearClassifier",
        summary="logistic regression on words, their character n-grams and word pairs",
    )


@hookimpl
def glossator_taggers() -> Iterator[Stage]:
    """Declare the built-in taggers."""
    yield Stage(
        name="crf",
        factory="glossator.builtin.crf:CRFTagger",
        summary="linear-chain CRF on sparse features of words and their neighbours",
    )
    yield Stage(
        name="gazetteer",
        factory="glossator.builtin.gazetteer:Gazetteer",
        summary="finds the phrases of a list",
    )


@hookimpl
def glossator_formats() -> Iterator[Format]:
    """Declare the built-in file formats."""
    yield Format(name="text", factory=whole_files, suffixes=(".txt",), summary="text, one document per file")
    yield Format(name="lines", factory=lines, summary="text, one document per line")
    yield Format(name="paragraphs", factory=paragraphs, summary="text, one document per paragraph")

    yield Format(
        name="jsonl",
        factory="glossator.formats.jsonl:JsonLines",
        suffixes=(".jsonl", ".ndjson"),
        summary="one JSON object per line, with its text, spans and categories",
    )
    yield Format(
        name="csv",
        factory="glossator.formats.csv_table:Table",
        suffixes=(".csv",),
        summary="comma-separated values, one document per row, its text and labels in named columns",
    )
    yield Format(
        name="tsv",
        factory="glossator.formats.csv_table:tab_separated",
        suffixes=(".tsv",),
        summary="tab-separated values, otherwise like csv",
    )

    yield Format(
        name="labelled-lines",
        factory="glossator.formats.labelled_text:LabelledLines",
        summary="one document per line, after its label and a tab",
    )
    yield Format(
        name="class-files",
        factory="glossator.formats.labelled_text:ClassFiles",
        summary="one document per line, one file per class",
    )
    yield Format(
        name="class-folders",
        factory="glossator.formats.labelled_text:ClassFolders",
        summary="text, one document per file, one folder per class",
    )
    yield Format(
        name="clinc",
        factory="glossator.formats.clinc:Clinc",
        summary="CLINC150's JSON lists of texts and intents",
    )

    yield Format(
        name="conll",
        factory="glossator.formats.conll:Columns",
        suffixes=(".conll", ".bio", ".iob"),
        summary="one token per line in columns, the last an IOB tag",
    )
    yield Format(
        name="iob2",
        factory="glossator.formats.iob2:Iob2",
        suffixes=(".iob2",),
        summary="one token per line with comments, as in Universal NER",
    )
    yield Format(
        name="conllu",
        factory="glossator.formats.conllu:ConllU",
        suffixes=(".conllu",),
        summary="CoNLL-U, as in Universal Dependencies",
    )
    yield Format(
        name="docbin",
        factory="glossator.formats.docbin:DocBinFiles",
        suffixes=(".spacy",),
        summary="spaCy's own binary format",
    )


def whole_files() -> Reader:
    """Make the format that reads each file as one document."""
    from glossator.formats.text import TextFiles

    return TextFiles(unit="file")


def lines() -> Reader:
    """Make the format that reads each line as one document."""
    from glossator.formats.text import TextFiles

    return TextFiles(unit="line")


def paragraphs() -> Reader:
    """Make the format that reads each paragraph as one document."""
    from glossator.formats.text import TextFiles

    return TextFiles(unit="paragraph")
