"""A plugin whose stages each break one promise of the contract, beside some that keep them all."""

import glossator

TAGGERS = {
    "sound": "taggers:Memory",
    "depends-on-the-batch": "taggers:DependsOnTheBatch",
    "chokes-on-long-tokens": "taggers:ChokesOnLongTokens",
    "adds-up-probabilities": "taggers:AddsUpProbabilities",
    "writes-to-docs": "taggers:WritesToDocs",
    "ignores-damage": "taggers:IgnoresDamage",
    "reads-what-lines-there-are": "taggers:ReadsWhatLinesThereAre",
    "labels-from-a-set": "taggers:LabelsFromASet",
    "never-learns": "taggers:NeverLearns",
    "needs-sentences": "taggers:NeedsSentences",
    "forgets-its-steps": "taggers:ForgetsItsSteps",
    "changes-its-settings": "taggers:ChangesItsSettings",
    "rows-by-builtin-hash": "taggers:RowsByBuiltinHash",
    "refuses-workers": "taggers:RefusesWorkers",
    "fits-by-global-chance": "taggers:FitsByGlobalChance",
}
EMBEDDERS = {
    "lengths": "embedders:Lengths",
    "table": "embedders:Table",
    "not-finite": "embedders:NotFinite",
    "rows-past-the-table": "embedders:RowsPastTheTable",
}
TOKENIZERS = {
    "blanks": "tokenizers:Blanks",
    "loses-blanks": "tokenizers:LosesBlanks",
    "vocab-each": "tokenizers:VocabEach",
    "keeps-keys": "tokenizers:KeepsKeys",
    "remembers-the-last": "tokenizers:RemembersTheLast",
}


def _stages(factories):
    return [
        glossator.Stage(name=name, factory=f"broken_plugin.{factory}") for name, factory in factories.items()
    ]


@glossator.hookimpl
def glossator_taggers():
    return _stages(TAGGERS)


@glossator.hookimpl
def glossator_embedders():
    return _stages(EMBEDDERS)


@glossator.hookimpl
def glossator_tokenizers():
    return _stages(TOKENIZERS)
