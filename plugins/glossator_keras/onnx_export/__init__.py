"""Keras networks to ONNX: Keras's own export, with layers that it exports badly replaced in the graph.

* `to_onnx`: the export
* `replacement`: how a layer is left out of the export and put into the graph afterwards
* `recurrent`, `embedding`: the replacements of Keras's own layers
"""
