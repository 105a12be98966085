"""Plugins: found, isolated where they fail, and asked for what a name means."""
