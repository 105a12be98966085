"""Training vectors of words by gensim."""
