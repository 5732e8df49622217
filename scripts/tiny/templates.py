"""Sentences put together from words: plain English with pronouns, relative clauses, questions and lists.

None of them is a sentence of the README or of introductions to the field, and the targets are the teacher's weights:
the templates only add everyday words and short sentences.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

PEOPLE = (
    "teacher doctor farmer child neighbour pilot nurse baker singer lawyer student driver king queen soldier".split()
)
THINGS = (
    "book letter table window bottle car bicycle song picture stone basket ladder coat lamp key map hat box".split()
)
ANIMALS = "cow horse bird rabbit fox fish goat sheep bear duck mouse tiger frog pig".split()
PLACES = "kitchen garden market school village river forest office station library harbour field church bridge".split()
DID = "saw found took carried painted sold bought dropped repaired lost hid moved touched wanted liked opened".split()
WENT = "walked ran came returned travelled hurried went drove sailed".split()
FELT = "tired hungry happy angry afraid proud ill late quiet busy sad bored cold".split()
WAS = "heavy old broken small red expensive dirty beautiful empty wet bright strange new cheap".split()
SAID = "said thought believed knew hoped feared heard wrote".split()
WHEN = "yesterday today last week in the morning after dinner at night on monday every day before noon".split()
HOW = "slowly quickly quietly carefully badly soon often never again together alone".split()
NAMES = "mary john anna peter paul sarah tom emma david laura james lucy henry julia".split()
NUMBERS = "two three four five ten twenty many some few several".split()

PATTERNS = [
    "the {person} {did} the {was} {thing} because {pron} was {felt}.",
    "{name} {did} a {thing} and then {pron} {went} to the {place}.",
    "when the {animal} {went} to the {place}, it was {felt}.",
    "the {person} who {did} the {thing} {went} {how} to the {place}.",
    '"where is the {thing}?" asked the {person}. "it is in the {place}," {said} {name}.',
    "{name} and {name2} {went} to the {place} {how}, but they did not see the {animal}.",
    "the {thing} that the {person} {did} was {was}, so {pron} {did} it again.",
    "there are {number} {animal}s near the {place}, and all of them are {felt}.",
    "the {person} gave the {animal} a {thing}, a {thing2} and a {was} {thing3}.",
    "if {name} {did} the {thing}, the {person} would be {felt}.",
    "is the {person} {felt}, or is the {thing} too {was}?",
    "{name} {said} that the {person} had {did} the {thing} in the {place}.",
    "my {person} does not like your {was} {thing}, does {pron}?",
    "the {animal} did not {go} into the {place} until the {person} {went} away.",
    "both {name} and the {person} {went} {how}; neither {did} the {thing}.",
    "the {person}'s {thing} was {was}, but {poss} {thing2} was not.",
]


def sentences(count: int = 30_000, seed: int = 0) -> Iterator[str]:
    """Paragraphs of one to four of these sentences."""
    draw = random.Random(seed)
    for _ in range(count):
        yield " ".join(_one(draw) for _ in range(draw.choice((1, 1, 2, 3, 4))))


def _one(draw: random.Random) -> str:
    thing, thing2, thing3 = draw.sample(THINGS, 3)
    name, name2 = draw.sample(NAMES, 2)
    pron, poss = draw.choice((("he", "his"), ("she", "her"), ("they", "their")))
    return draw.choice(PATTERNS).format(
        person=draw.choice(PEOPLE), thing=thing, thing2=thing2, thing3=thing3, animal=draw.choice(ANIMALS),
        place=draw.choice(PLACES), did=draw.choice(DID), went=draw.choice(WENT), felt=draw.choice(FELT),
        was=draw.choice(WAS), said=draw.choice(SAID), how=draw.choice(HOW), name=name, name2=name2, pron=pron,
        poss=poss, number=draw.choice(NUMBERS), go=draw.choice(("go", "run", "come", "look")),
    )  # fmt: skip
