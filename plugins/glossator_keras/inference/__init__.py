"""Answers of a trained network, without Keras.

* `runtime`: what runs a network, ONNX Runtime or Keras
* `decoding`: from logits to tags and spans with probabilities
"""
