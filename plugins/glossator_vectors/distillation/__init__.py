"""Static vectors made by a model that reads contexts, such as a BERT."""
