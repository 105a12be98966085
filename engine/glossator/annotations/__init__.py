"""The annotations of a Doc: its layers, read and written in one place."""
