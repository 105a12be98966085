"""The linear model inside a network: its logits are added to the network's own.

Cheng et al. 2016, "Wide and deep learning for recommender systems": a linear model over sparse features
memorizes what single words and pairs of words tell, and the network learns what is missing.

* `model`: what the linear models of taggers and classifiers share
* `folds`: parts of the training data, each answered by a model that did not see it
* `crf`: the sparse CRF inside a tagger
* `linear`: the logistic regression inside a classifier
"""
