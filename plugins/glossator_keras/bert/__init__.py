"""BERT (Devlin et al. 2019): frozen as an embedder, fine-tuned as a tagger and as a classifier.

* `checkpoint`: a model in the Hugging Face layout
* `pieces`: words cut into word pieces, and how they stand for each other
* `windows`: sequences longer than the model, cut into windows that overlap
* `layer`, `network`: the networks, and the checkpoint's weights in them
* `exporting`: their layers in ONNX
* `optimizing`: AdamW, its rates and what it leaves as it is
* `embedder`, `tagger`, `classifier`: the stages

Annotating needs ONNX Runtime and `tokenizers`, neither Keras nor KerasHub.
"""
