"""The networks over hashed words, each with its settings and its factory.

* `bilstm_crf`: the tagger
* `cnn`, `lstm`: the classifiers
* `pooling`: from one row per word to one row per document
"""
