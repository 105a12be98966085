"""The embedders `vectors` and `hash`."""
