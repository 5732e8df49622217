"""Prompts for study_context.py that were written before any variant of the score ran on them, and ran once.

FRESH: shapes with one right source. LONG: shapes whose answer has several sentences, each from a source of its own.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

from context_shapes import FOODS, JOBS, NAMES, THINGS, TOWNS, Case, LongCase, LongShape, Shape, one

# Sentences with a question and an answer each; stories with their questions; news and the same in other words.
TEXTS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def manuals(random: Random) -> Case:
    """Documents of four sentences each, alike except for their facts; towns and years are in several of them."""
    rows = []
    for thing in random.sample(THINGS, 6):
        town, years, kilos = random.choice(TOWNS[:4]), random.choice((2, 3, 5)), random.randrange(2, 30)
        text = (
            f"Thank you for choosing our {thing}. It was made by hand in {town} and weighs {kilos} kilograms. "
            f"Clean it with a dry cloth, and keep it away from open fire. The guarantee ends after {years} years."
        )
        rows.append((text, f"Where was the {thing} made?", f"in {town}"))
    return one(random, rows)


CHATTER = (
    "Sounds good to me.",
    "Sorry, I was on the phone.",
    "Has anybody seen my umbrella?",
    "Thanks, that helps a lot.",
    "I will be ten minutes late today.",
    "Let us talk about it tomorrow.",
    "Who left the window open?",
    "Great, see you all later.",
)
CHORES = (
    ("call the plumber", "calls the plumber"),
    ("order the chairs", "orders the chairs"),
    ("write the invitation", "writes the invitation"),
    ("collect the keys", "collects the keys"),
    ("book the hall", "books the hall"),
    ("print the tickets", "prints the tickets"),
    ("feed the hens", "feeds the hens"),
)


def planning(random: Random) -> Case:
    """A chat of five people: each has three lines, one of them a promise."""
    people, chores = random.sample(NAMES, 5), random.sample(CHORES, 5)
    rows = [
        (f"{a}: I can {b} on {random.choice(DAYS)}.", f"Who {asked}?", a)
        for a, (b, asked) in zip(people, chores, strict=True)
    ]
    lines = [(f"{a}: {text}", "", "") for a in people for text in random.sample(CHATTER, 2)]
    right = rows[random.randrange(len(rows))]
    chat = rows + lines
    random.shuffle(chat)
    return Case([line[0] for line in chat], right[1], right[2], chat.index(right))


def fable(random: Random) -> Case:
    """Prose: eight sentences of a story, in their order."""
    sentences, questions = random.choice(TEXTS["fables"])
    question, answer, right = random.choice(questions)
    first = random.randrange(max(0, right - 7), min(2, right) + 1)
    return Case(list(sentences[first : first + 8]), question, answer, right - first)


def handed_on(random: Random) -> Case:
    """One thing changes hands: every name is in two sources, once as giver and once as taker."""
    people, thing = random.sample(NAMES, 7), random.choice(THINGS)
    rows = [(f"{a} gave the {thing} to {b}.", f"Who gave the {thing} to {b}?", a) for a, b in pairwise(people)]
    random.shuffle(rows)
    return one(random, rows)


def ferries(random: Random) -> Case:
    """Answers are in half of the sources, and so are the words of the question."""
    hours = random.sample("six seven eight nine ten eleven".split(), 2)
    boats = [(kind, town) for kind in ("ferry", "night train") for town in random.sample(TOWNS, 5)]
    rows = []
    for i, (kind, town) in enumerate(boats):
        rows.append(
            (f"The {kind} to {town} leaves at {hours[i % 2]}.", f"When does the {kind} to {town} leave?", hours[i % 2])
        )
    random.shuffle(rows)
    return one(random, [(text, question, f"at {hour}") for text, question, hour in rows])


def tastes(random: Random) -> Case:
    """Each person has a source of what they like and one of what they do not; foods are shared."""
    rows = []
    for a in random.sample(NAMES, 5):
        b, c = random.sample(FOODS[:6], 2)
        rows.append((f"{a} is very fond of {b}.", f"What does {a} like to eat?", b))
        rows.append((f"{a} cannot stand {c}.", f"What does {a} hate to eat?", c))
    random.shuffle(rows)
    return one(random, rows)


def reworded_pages(random: Random) -> Case:
    return one(random, random.sample(TEXTS["pages"], 6))


def reworded_travel(random: Random) -> Case:
    return one(random, random.sample(TEXTS["travel"], 8))


def reworded_clinic(random: Random) -> Case:
    return one(random, random.sample(TEXTS["clinic"], 8))


FRESH: tuple[Shape, ...] = (
    manuals, planning, fable, handed_on, ferries, tastes, reworded_pages, reworded_travel, reworded_clinic,
)  # fmt: skip


# Answers of several sentences


def two_keepers(random: Random) -> LongCase:
    """Two sentences, word for word."""
    people, things, towns = random.sample(NAMES, 8), random.sample(THINGS, 8), random.sample(TOWNS, 8)
    lines = [f"{a} bought a {b} in {c}." for a, b, c in zip(people, things, towns, strict=True)]
    i, k = random.sample(range(8), 2)
    return LongCase(lines, f"What did {people[i]} and {people[k]} buy?", [lines[i], lines[k]], (i, k))


def two_jobs(random: Random) -> LongCase:
    """Two sentences that say the same in another order of words, from documents of two sentences each."""
    people, jobs, towns = random.sample(NAMES, 6), random.sample(JOBS, 6), random.sample(TOWNS, 6)
    texts = [
        f"{a} moved here in spring, after years in {c} as a {b}. There was nobody to help with the boxes."
        for a, b, c in zip(people, jobs, towns, strict=True)
    ]
    i, k = random.sample(range(6), 2)
    said = [f"{people[x]} was a {jobs[x]}, and the place was {towns[x]}." for x in (i, k)]
    return LongCase(texts, f"What did {people[i]} and {people[k]} do before?", said, (i, k))


def digest(random: Random) -> LongCase:
    """Two sentences in other words; the question names nothing."""
    rows = random.sample(TEXTS["news"], 8)
    right = random.sample(range(8), 2)
    return LongCase([row[0] for row in rows], "What is new in the village?", [rows[k][1] for k in right], tuple(right))


def long_digest(random: Random) -> LongCase:
    """Four sentences in other words, some forty tokens and more."""
    rows = random.sample(TEXTS["news"], 10)
    right = random.sample(range(10), 4)
    return LongCase([row[0] for row in rows], "What is new in the village?", [rows[k][1] for k in right], tuple(right))


LONG: tuple[LongShape, ...] = (two_keepers, two_jobs, digest, long_digest)
