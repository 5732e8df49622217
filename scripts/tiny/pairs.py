"""The head of the teacher, all-MiniLM-L6-v2, that each head of the student imitates, and what it does.

Needs Python alone: training, export and measurements all import it.
"""

from __future__ import annotations

N_LAYERS, N_HEADS, D_MODEL, D_MLP = 6, 8, 160, 480
PAIRS = {  # layer: the teacher's heads that the student's heads 0, 1, 2, ... of that layer imitate
    0: (2, 5, 4),
    1: (8, 4, 7, 2, 9),
    2: (8, 11, 0, 1, 9),
    3: (8, 1, 11, 7, 5),
    4: (9, 6, 7, 11, 1),
    5: (3, 11, 8, 1, 7, 9, 10, 5),
}
# Titles of the student's heads in pictures: (layer, head) -> title. titles.py measures how often each is true.
TITLES = {
    (0, 0): "previous word",
    (1, 0): "next word",
    (1, 2): "function word to content word",
    (2, 0): "article to noun",
    (2, 2): "object to its verb",
    (2, 3): "nearest content words",
    (3, 1): "pronoun to noun",
    (3, 2): "end marks",
    (5, 1): "topic",
}
# Teacher's head -> what it does: where the strongest key lies that is not special, in 88 passages of novel, speeches,
# fortunes, Bible and WordNet (3,392 rows), and what gold.py finds. "or [CLS]": [CLS] is stronger in 0.4 to 0.56 of
# the rows; "[CLS], then": in more. "for most": about half of a passage's rows or more share one strongest key.
DOES = {
    (0, 2): "previous token",
    (0, 5): "one or two tokens back",
    (0, 4): "broad, most on near tokens and itself",
    (1, 8): "next token",
    (1, 4): "one or two tokens ahead",
    (1, 7): "function word to a later content word, or [CLS]",
    (1, 2): "a few tokens back, or [CLS]",
    (1, 9): "[CLS], then previous token",
    (2, 8): "article, adjective, preposition to noun, auxiliary to verb, or [CLS]",
    (2, 11): "previous token, or [CLS]",
    (2, 0): "object to verb, noun to its preposition, or [CLS]",
    (2, 1): "near content word, or [CLS]",
    (2, 9): "[CLS], then the same word elsewhere",
    (3, 8): "[CLS], then a few tokens back",
    (3, 1): "pronoun to an earlier noun, preposition to noun, or [CLS]",
    (3, 11): "full stops and other end marks",
    (3, 7): "mixed: [CLS], end marks, sentence starts",
    (3, 5): "[CLS], then itself or an end mark",
    (4, 9): "next token, or [CLS]",
    (4, 6): "[CLS], then a few tokens ahead",
    (4, 7): "[CLS], then a few tokens back",
    (4, 11): "mixed: [CLS], end marks, a content word",
    (4, 1): "mixed: broad, [CLS], a content word",
    (5, 3): "[CLS], then one noun for most",
    (5, 11): "[CLS], then one noun for most",
    (5, 8): "one word for most, often a person, or [CLS]",
    (5, 1): "[CLS], then one word, often split",
    (5, 7): "[CLS], then one content word for most",
    (5, 9): "[CLS], then one verb or adjective for most",
    (5, 10): "[CLS], then one content word for most",
    (5, 5): "[CLS], then one noun for most",
}
