"""Callbacks that functions call on their way."""

from __future__ import annotations


def ignore(_: object) -> None:
    """Do nothing: the default of a callback."""
