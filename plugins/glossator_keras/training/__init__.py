"""Training a network.

* `learner`: one compiled step, and the average of the weights
* `losses`: the losses of taggers and classifiers
* `tuned_vectors`: tables of vectors that are tuned along with a network
"""
