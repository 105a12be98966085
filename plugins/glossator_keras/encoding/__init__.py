"""From Docs to the numbers a network takes.

* `input_encoder`: the protocols between an encoder and the stages it is composed with
* `hashed_words`: words as rows of hashed tables, the default
* `doc_windows`: long documents cut into windows
"""
