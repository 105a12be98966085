"""Scoring a pipeline on gold data: matches, scores, calibration, significance, reports."""
