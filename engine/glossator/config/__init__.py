"""Configs: the parts of a pipeline and its training data, as text and as typed records."""
