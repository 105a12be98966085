"""Ranking by scores that differ in their last digits from processor to processor."""

from __future__ import annotations

# Networks run in single precision: another batch or another processor changes the last digits of a score.
# Scores that are equal to this many digits tie, and ties are broken by order.
RANKING_DIGITS = 5
