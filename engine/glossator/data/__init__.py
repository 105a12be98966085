"""Labelled data: corpora, files, and gold examples on a pipeline's tokens."""
