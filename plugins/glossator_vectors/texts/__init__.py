"""Texts to train vectors on or to count the words of."""
