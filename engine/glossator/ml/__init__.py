"""Building blocks of stages: words as arrays, batches, linear chains, probabilities, thresholds."""
