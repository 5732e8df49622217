"""Prompts whose right source is known, for study_context.py: shapes that were tuned on, and shapes that are reported.

Each shape is a function from a random generator to a Case. Sources and questions of REPORTED were written before any
variant of the score ran on them; later the score was chosen with their help too. Shapes that it has not seen are in
context_fresh.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Case(NamedTuple):
    """Sources, a question, its answer, and the index of the right source. answers: of each source, or none."""

    sources: list[str]
    question: str
    answer: str
    right: int
    answers: tuple[str, ...] = ()


class LongCase(NamedTuple):
    """Sources, a question, the sentences of its answer, and the index of the right source of each."""

    sources: list[str]
    question: str
    sentences: list[str]
    right: tuple[int, ...]


Shape = Callable[[Random], Case]
LongShape = Callable[[Random], LongCase]
NAMES = (
    "Anna Boris Clara Daniel Elena Felix Greta Hugo Irene Jonas Klara Leon Maria Nadia Oscar Paula Ruth Simon".split()
)
TOWNS = "Oslo Lima Turin Porto Kyoto Quito Bergen Malaga Tunis Riga Perth Ghent".split()
THINGS = "lamp kettle ladder violin compass blanket hammer mirror basket teapot candle saddle".split()
ROOMS = "attic cellar kitchen garage library workshop hallway garden".split()
FOODS = "salad lentils pancakes dumplings soup olives cherries noodles bread pie".split()
JOBS = "baker pilot nurse carpenter teacher lawyer gardener painter".split()
COLOURS = "red green blue yellow purple orange brown grey".split()


def one(random: Random, rows: list[tuple[str, str, str]]) -> Case:
    """Ask about one of (source, question, answer)."""
    right = random.randrange(len(rows))
    return Case([row[0] for row in rows], rows[right][1], rows[right][2], right, tuple(row[2] for row in rows))


# Tuned on


def keeping(random: Random) -> Case:
    people, things = random.sample(NAMES, 8), random.sample(THINGS, 8)
    rooms = [random.choice(ROOMS) for _ in people]
    rows = zip(people, things, rooms, strict=True)
    return one(
        random, [(f"{a} keeps a {b} in the {c}.", f"What does {a} keep in the {c}?", f"a {b}") for a, b, c in rows]
    )


def chatting(random: Random) -> Case:
    people, foods = random.sample(NAMES, 10), random.sample(FOODS, 10)
    rows = zip(people, foods, strict=True)
    return one(random, [(f"{a}: I can bring the {b}.", f"Who brings the {b}?", a) for a, b in rows])


def logging(random: Random) -> Case:
    people, things = random.sample(NAMES, 12), random.sample(THINGS, 12)
    rows = [
        (f"{8 + i}:{random.randrange(10, 60)} {a.lower()} returned {b} to shelf {random.randrange(2, 99)}", a, b)
        for i, (a, b) in enumerate(zip(people, things, strict=True))
    ]
    return one(random, [(text, f"Who returned the {b}?", a.lower()) for text, a, b in rows])


def two_facts(random: Random) -> Case:
    people, towns, jobs = random.sample(NAMES, 5), random.sample(TOWNS, 5), random.sample(JOBS, 5)
    rows = []
    for a, b, c in zip(people, towns, jobs, strict=True):
        rows.append((f"{a} was born in {b}.", f"Where was {a} born?", b))
        rows.append((f"{a} works as a {c}.", f"What is {a}'s job?", c))
    random.shuffle(rows)
    return one(random, rows)


def town_pages(random: Random) -> Case:
    rows = []
    rivers = random.sample("Arno Drina Volta Neva Tagus Indus".split(), 6)
    for a, b in zip(random.sample(TOWNS, 6), rivers, strict=True):
        people, colour = random.randrange(20, 900), random.choice(COLOURS)
        text = f"{a} has {people} thousand inhabitants. Its flag is {colour}. The river {b} runs through the old town, "
        rows.append((f"{text}and ferries cross it daily.", f"Which river runs through {a}?", b))
    return one(random, rows)


_HOME = [
    ("The old bakery on Mill Street shut its doors in March.", "Which shop went out of business?", "the bakery"),
    ("Tom's sister plays the cello in a small orchestra.", "Who in the family is a musician?", "Tom's sister"),
    ("The dog refused to leave the porch while it was raining.", "Why did the pet stay put?", "because of the weather"),
    ("Nobody had watered the ferns since the holidays.", "What happened to the plants?", "they dried out"),
    ("Their car broke down on the way to the wedding.", "Why were they late for the ceremony?", "a broken vehicle"),
    ("Grandfather sold his boat after the storm.", "What did the old man part with?", "his boat"),
    ("The museum lets children in for nothing on Sundays.", "When can kids visit without paying?", "on Sundays"),
    ("Mr. Lee has taught chemistry for thirty years.", "Who has a long career in science lessons?", "Mr. Lee"),
    ("The bridge is closed because its cables are rusting.", "What is wrong with the crossing?", "corrosion"),
    ("A neighbour's cat stole the fish from the table.", "Who took the food?", "the animal next door"),
    ("The hikers spent the night in a stone hut.", "Where did the walkers sleep?", "in a shelter"),
    ("Our landlord painted the stairs while we were away.", "Who redecorated the house?", "its owner"),
]


def reworded_home(random: Random) -> Case:
    return one(random, random.sample(_HOME, 8))


# Reported


def prices(random: Random) -> Case:
    things, coins = random.sample(THINGS, 9), random.sample(range(11, 99), 9)
    rows = zip(things, coins, strict=True)
    return one(random, [(f"A {a} costs {b} coins.", f"How much is a {a}?", f"{b} coins") for a, b in rows])


def giving(random: Random) -> Case:
    people, things = random.sample(NAMES, 6), random.sample(THINGS, 6)
    rows = []
    for i, b in enumerate(things):
        a, c = people[i], people[(i + 1) % 6]
        rows.append((f"{a} lent the {b} to {c}.", f"To whom did {a} lend the {b}?", c))
    return one(random, rows)


def same_answers(random: Random) -> Case:
    """The answer is in half of the sources."""
    people, towns = random.sample(NAMES, 10), random.sample(TOWNS, 2)
    rows = [(a, towns[i % 2], ("lives", "works")[i // 2 % 2]) for i, a in enumerate(people)]
    random.shuffle(rows)
    asks = {"lives": "live", "works": "work"}
    return one(random, [(f"{a} {verb} in {b}.", f"Where does {a} {asks[verb]}?", b) for a, b, verb in rows])


def table_rows(random: Random) -> Case:
    people, colours = random.sample(NAMES, 8), random.sample(COLOURS, 8)
    rows = [
        (f"{a} | {random.randrange(20, 70)} | {b} | {random.choice(TOWNS)}", a, b)
        for a, b in zip(people, colours, strict=True)
    ]
    return one(random, [(text, f"Which colour does {a} have?", b) for text, a, b in rows])


def many_lines(random: Random) -> Case:
    rows = []
    for a in random.sample(NAMES, 15):
        b, c = random.choice(FOODS), random.choice(TOWNS)
        rows.append((f"{a} flew to {c} on Monday.", f"Where did {a} fly on Monday?", c))
        rows.append((f"{a} ate {b} for lunch.", f"What did {a} eat for lunch?", b))
    random.shuffle(rows)
    return one(random, rows)


def letters(random: Random) -> Case:
    rows = []
    for a, b in zip(random.sample(NAMES, 6), random.sample(THINGS, 6), strict=True):
        day = random.choice(("Monday", "Tuesday", "Friday"))
        text = f"From: {a}\nSubject: order\nThank you for the offer. Please send the {b} by {day}; the rest can wait."
        rows.append((text, f"What does {a} want to be sent?", f"the {b}"))
    return one(random, rows)


def by_description(random: Random) -> Case:
    """The question names neither the answer nor the source's person."""
    people, jobs, towns = random.sample(NAMES, 8), random.sample(JOBS, 8), [random.choice(TOWNS) for _ in range(8)]
    rows = zip(people, jobs, towns, strict=True)
    return one(
        random, [(f"{a}, a {b} from {c}, arrived late.", f"What is the name of the {b}?", a) for a, b, c in rows]
    )


_OFFICE = [
    ("Refunds are paid within two weeks of a return.", "How long until I get my money back?", "fourteen days"),
    ("The lift is out of order until Thursday.", "Which equipment is broken?", "the elevator"),
    ("Visitors must sign in at the front desk.", "What do guests have to do first?", "register at reception"),
    ("Staff may bring dogs on Fridays.", "When are pets allowed?", "at the end of the week"),
    ("The heating is switched off in May.", "Why might it be cold in late spring?", "no warm radiators"),
    ("Parking is free after six in the evening.", "When need I not pay for my car?", "at night"),
    ("Ms. Ortiz signs all invoices above a thousand euros.", "Who approves large bills?", "Ms. Ortiz"),
    ("The canteen serves no meat this week.", "What is missing from lunch?", "beef and chicken"),
    ("Passwords expire every ninety days.", "How often must I choose a new login code?", "four times a year"),
    ("The printer on the second floor only takes coins.", "How is copying paid for?", "with cash"),
    ("Interns get their badges from the porter.", "Where do trainees pick up their cards?", "at the door"),
    ("The fire drill starts when the bell rings twice.", "What is the signal to practise leaving?", "two chimes"),
]
_STORY = [
    ("The captain had not slept since the ship left port.", "Who was exhausted?", "the commander"),
    ("Rain had washed the names off the gravestones.", "Why could nobody read the inscriptions?", "bad weather"),
    ("She hid the letter beneath a loose floorboard.", "Where was the message?", "under the planks"),
    ("The wolves came closer every night of that winter.", "Which animals were feared?", "a pack of predators"),
    ("Old Marten mended nets for half the village.", "Who repaired fishing gear?", "an elderly man"),
    ("The miller's horse went lame before the harvest.", "Which beast was injured?", "the one at the mill"),
    ("A lantern burned in the tower until dawn.", "What gave light all night?", "a lamp"),
    ("The twins could not agree on who had seen it first.", "Which siblings argued?", "two brothers"),
    ("Smoke rose from the chapel at noon.", "Which building was on fire?", "the church"),
    ("The queen sent her physician with three guards.", "Whom did the ruler send?", "a doctor"),
    ("Nettles grew where the orchard had been.", "What replaced the fruit trees?", "weeds"),
    ("The ferryman would take no payment from widows.", "Who crossed for free?", "women in mourning"),
]


def reworded_office(random: Random) -> Case:
    return one(random, random.sample(_OFFICE, 8))


def reworded_story(random: Random) -> Case:
    return one(random, random.sample(_STORY, 8))


TUNED: tuple[Shape, ...] = (keeping, chatting, logging, two_facts, town_pages, reworded_home)
REPORTED: tuple[Shape, ...] = (
    prices, giving, same_answers, table_rows, many_lines, letters, by_description, reworded_office, reworded_story,
)  # fmt: skip
