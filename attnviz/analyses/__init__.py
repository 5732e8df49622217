"""Analyses: one file each, with its options, its computation and its Result. docs/adding-an-analysis.md adds one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis

# name -> the first line of its help, which `attnviz --help` shows without importing the analysis. The command
# `corpus report` is `corpus_report` here and in Python.
ANALYSES = {
    "stats": "Measure every head: entropy, span, distance, confidence, weight on neighbours and special tokens.",
    "roles": "Say which heads are previous-token, induction, sink, positional or other known heads, with scores.",
    "links": "List the strongest links between tokens, and the heads that make them.",
    "focus": "Show what one token looks at, over all layers and heads.",
    "similar": "Show which heads attend alike: their distances, in order and as a map.",
    "diff": "Compare attention: two texts, two models, with and without an adapter, two layers, or two files.",
    "lines": "Draw a text twice with lines of weight between, or once, shaded by what one token attends to.",
    "generate": "Continue a text, token by token, and say what each head looked at meanwhile.",
    "context": "Say which source an answer rests on: where question and answer point, and what the answer needs.",
    "ablate": "Take heads away one by one, or one link, and say what changes in the model's answer.",
    "logits": "Show what every layer would predict, or what each head and MLP adds to a token's logit.",
    "qk": "Show a head's queries and keys in one plane, and one pair of them number by number.",
    "steps": "Walk through attention step by step: one layer, one head, one token.",
    "circuits": "Say what heads can do, from weights alone: W_QK, W_OV and composition.",
    "rollout": "Follow attention through the layers: how much of each input token is in each position.",
    "flow": "Follow attention through the layers as water through pipes: the largest flow to each input token.",
    "norms": "Measure what attention moves, beside its weights: norms, ALTI, value zeroing, effective attention.",
    "series": "Follow every head through training: statistics, roles and the distance from the last checkpoint.",
    "check": "Say whether attention is sane: a model's on a text, or that in a file.",
    "corpus_report": "Show what `attnviz corpus` measured: boards, roles, variability, quantiles, strongest links.",
    "inspect": "Show what is in a model: its configuration and every tensor.",
    "mechanisms": "List attention's relatives; with a text, show them side by side.",
}
# Commands of the same kind whose answers Python has by other names; all are in listings.py.
LISTINGS = {
    "tokens": "Show how the text is split: index, token, id, characters.",
    "models": "List the families that attnviz knows, with their streams and positions.",
    "describe": "Say what attnviz would make of a model, without its weights; or why it cannot be drawn.",
}


def find(name: str) -> Analysis:
    """The analysis of this name; its module is imported when it is first asked for."""
    from importlib import import_module

    from attnviz.analyses.base import REGISTERED

    if name not in REGISTERED:
        import_module(f"attnviz.analyses.{'listings' if name in LISTINGS else name}")
    return REGISTERED[name]
