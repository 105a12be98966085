"""A folder of vectors on disk: its metadata, reading it, and writing it."""
