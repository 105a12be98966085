"""The pipeline: stages composed, run, saved and loaded."""
