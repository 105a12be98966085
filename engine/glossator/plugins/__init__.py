"""Plugins: finding them, isolating those that fail, and building what they declare."""
