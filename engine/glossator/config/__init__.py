"""Configs: what a pipeline is made of and trains on, as text and as typed records."""
