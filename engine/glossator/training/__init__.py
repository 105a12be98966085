"""Training pipelines: the trainer, the loop of one head, and other ways to train."""
