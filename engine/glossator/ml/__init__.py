"""Building blocks of stages; none needs a machine-learning framework.

`words` makes arrays of Docs and back, `batching` batches of like length; `span_scheme` and `linear_chain`
are for taggers; `activations`, `temperature`, `categories` and `thresholds` turn scores into
probabilities and labels.
"""
