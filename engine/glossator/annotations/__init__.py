"""The annotations of a Doc: its layers, read and written in one place.

`layer` has the type `Layer`, `gold` what a stage learns from (`gold_spans`, `gold_tags`, `missing_tokens`),
`overlaps` decides which of several spans stay, `read` and `write` are what the engine uses itself.
"""
