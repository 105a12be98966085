"""BERT (Devlin et al. 2019): frozen as an embedder, fine-tuned as a tagger and as a classifier.

* `checkpoint`: a model in the Hugging Face layout
* `tokenizer`: words cut into word pieces, and which pieces belong to which word
* `windows`: sequences longer than the model, cut into windows that overlap
* `word_piece_inputs`: the encoders that the tagger and the classifier are composed with
* `transformer_layer`, `backbone`, `heads`: the networks, and the checkpoint's weights in them
* `transformer_onnx`: their layers in ONNX
* `fine_tuning`, `optimizer`: the checkpoint a stage starts from; AdamW and its learning rates
* `embedder`, `tagger`, `classifier`: the stages

Annotating needs ONNX Runtime and `tokenizers`, neither Keras nor KerasHub.
"""
