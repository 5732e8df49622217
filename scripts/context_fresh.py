"""Prompts for study_context.py that were written before any variant of the score ran on them, and ran once.

FRESH: shapes with one right source. LONG: shapes whose answer has several sentences, each from a source of its own.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from context_shapes import FOODS, JOBS, NAMES, THINGS, TOWNS, Case, LongCase, LongShape, Shape, one

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def manuals(random: Random) -> Case:
    """Documents of four sentences each, alike but for their facts; towns and years are in several of them."""
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


FABLES = [
    (
        [
            "A tinker came over the hills one autumn with a copper pot on his back.",
            "He asked for a bed at the mill, but the miller sent him away.",
            "So he slept in the barn of a widow, between her two goats.",
            "In the morning he mended her bucket and would take no money.",
            "She gave him a loaf and a piece of cheese for the road.",
            "By noon the river had risen and carried off the wooden bridge.",
            "The tinker waded across, but the pot filled with water and dragged him down.",
            "A boy who was fishing for trout pulled him out by the hair.",
            "The pot was never found again.",
            "Years later the miller dreamed of it every night and grew thin.",
        ],
        [
            ("Who refused to take the tinker in?", "the miller", 1),
            ("Between which animals did the tinker sleep?", "two goats", 2),
            ("What did the tinker repair?", "a bucket", 3),
            ("What was lost in the flood?", "the wooden bridge", 5),
            ("Who saved the tinker from drowning?", "a boy who was fishing", 7),
        ],
    ),
    (
        [
            "Mrs. Alder kept the lighthouse alone after her husband died.",
            "Every Friday a boat brought her flour, lamp oil and newspapers.",
            "She read the papers aloud to a parrot that had lost one eye.",
            "In the winter of the great frost the boat did not come for six weeks.",
            "She burned the kitchen chairs first, and then the doors.",
            "When the oil ran out she hung up a mirror to catch the moon.",
            "A schooner loaded with oranges saw the gleam and turned away from the rocks.",
            "Its captain sent her a crate of the fruit at Easter.",
            "The parrot would not touch them.",
            "She planted the seeds in a soup tureen, and two of them grew.",
        ],
        [
            ("What did Mrs. Alder read to the parrot?", "the papers", 2),
            ("How long was there no boat?", "six weeks", 3),
            ("What did she burn first?", "the kitchen chairs", 4),
            ("What did she use instead of oil?", "a mirror", 5),
            ("In what did she plant the seeds?", "a soup tureen", 9),
        ],
    ),
    (
        [
            "The new teacher arrived on the last train with three trunks of books.",
            "Nobody met her at the station but a dog.",
            "It walked before her to the schoolhouse and lay down on the step.",
            "The stove was cold, and a swallow had nested in the bell.",
            "On her first day only four children came, and one of them was asleep.",
            "She told them about whales until the sleeper woke up.",
            "The next day there were nine, and the day after that a grandmother.",
            "The council complained that nobody was learning to count.",
            "She had the class count the stars over the quarry and sent the council the number.",
            "The dog attended every lesson until it died.",
        ],
        [
            ("What did the teacher bring?", "three trunks of books", 0),
            ("Who met the teacher?", "a dog", 1),
            ("What had made its home in the bell?", "a swallow", 3),
            ("Which animals did she talk about?", "whales", 5),
            ("What did the class count?", "the stars", 8),
        ],
    ),
]


def fable(random: Random) -> Case:
    """Prose: eight sentences of a story, in their order."""
    sentences, questions = random.choice(FABLES)
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


PAGES = [
    (
        "The beaver fells trees with its teeth. It builds dams of branches and mud, and ponds form behind them.",
        "How do still waters come about?",
        "because a rodent blocks the stream",
    ),
    (
        "Basalt is a dark stone that comes out of volcanoes. Old streets are often paved with it.",
        "What were roads covered with?",
        "black rock",
    ),
    (
        "The cuckoo lays its eggs in the nests of other birds. They hatch early and push the others out.",
        "Who lets strangers raise its young?",
        "a bird that cheats",
    ),
    (
        "Salt was once carried across the desert on camels. A slab of it could buy a horse.",
        "What used to be as good as money?",
        "a seasoning",
    ),
    (
        "Bamboo can grow a metre in a day. Scaffolding is made from it in many cities.",
        "Which plant helps builders?",
        "a tall grass",
    ),
    (
        "The comet returns every seventy-six years. It was embroidered on a famous piece of cloth.",
        "What can be seen in the sky once in a lifetime?",
        "a body with a tail",
    ),
    (
        "Cork is the bark of an oak. It is peeled off every ninth summer and does not harm the tree.",
        "What can be harvested without cutting anything down?",
        "the outer layer of a trunk",
    ),
    (
        "A carillon is played with the fists. Its bells hang in a tower and weigh many tons.",
        "Which instrument cannot be carried?",
        "heavy chimes",
    ),
    (
        "Lemons kept sailors healthy on long voyages. Before that many had lost their teeth.",
        "How did crews avoid illness?",
        "by eating sour fruit",
    ),
    (
        "The mole digs tunnels with its broad hands. It is nearly blind and eats worms.",
        "Which creature lives below the ground and sees badly?",
        "a small digger",
    ),
]

TRAVEL = [
    ("The last bus to the village leaves at half past nine.", "Until when can I get home?", "late in the evening"),
    ("Our suitcase went to another airport by mistake.", "What happened to the luggage?", "it got lost"),
    ("The hostel asks for a deposit for bed linen.", "What must guests pay extra for?", "the sheets"),
    ("Snow has blocked the mountain pass since Tuesday.", "Why can nobody cross the range?", "winter weather"),
    ("A hornet stung our guide on the ear.", "How was the tour leader hurt?", "by an insect"),
    ("The captain cancelled the crossing because of high waves.", "Why did the ship stay in port?", "a rough sea"),
    ("Tap water should be boiled before drinking.", "What makes the drink safe?", "heating it"),
    ("The waiter brought us the bill of the next table.", "What went wrong at dinner?", "they charged somebody else"),
    ("My passport expired two days before the flight.", "Which document was out of date?", "the travel papers"),
    ("The map shows a path that no longer exists.", "Why did they lose their way?", "the chart was old"),
    ("We swapped our skis for a sledge.", "What did they trade away?", "winter sports gear"),
    (
        "The castle closes to visitors while the duke is at home.",
        "Whose presence keeps tourists out?",
        "the nobleman's",
    ),
]

CLINIC = [
    ("The nurse wakes the patients at six.", "When does the day begin on the ward?", "very early"),
    ("Nuts are forbidden in the children's kitchen.", "Which food could harm the little ones?", "almonds and such"),
    ("The surgeon washes her hands for three minutes.", "How does the operation start?", "with soap and water"),
    ("Crutches can be borrowed from the porter.", "Where do I find help for walking?", "at the entrance"),
    ("The X-ray machine broke on Sunday.", "Why were no pictures of bones taken?", "a fault in the equipment"),
    ("A guide dog may lie under the bed.", "Which pet is allowed to stay?", "one that leads the blind"),
    ("Old Mr. Brandt snores louder than the traffic.", "Who keeps the others awake?", "a noisy sleeper"),
    ("The pharmacy ran out of cough syrup.", "Which medicine is missing?", "the remedy for a sore throat"),
    ("Twins were born in the lift on Friday.", "What happened between two floors?", "a double birth"),
    ("Visitors bring flowers, but the vases are all in use.", "What is there too little of?", "jars for bouquets"),
    ("The dentist hums while he drills.", "Who makes music at work?", "the man who looks after teeth"),
    ("The cook burned the porridge this morning.", "What spoiled breakfast?", "a meal left too long on the fire"),
]


def reworded_pages(random: Random) -> Case:
    return one(random, random.sample(PAGES, 6))


def reworded_travel(random: Random) -> Case:
    return one(random, random.sample(TRAVEL, 8))


def reworded_clinic(random: Random) -> Case:
    return one(random, random.sample(CLINIC, 8))


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


NEWS = [
    ("The council has voted to close the swimming pool in June.", "The baths will shut at the start of summer."),
    ("A fire destroyed the sawmill on Sunday night.", "Flames have ruined a factory that cut timber."),
    ("The choir is looking for two tenors.", "Some male singers are wanted."),
    ("The price of bread will go up by ten cents.", "Loaves are about to cost more."),
    ("Storks have returned to the church tower.", "Large white birds are nesting above the parish again."),
    ("The night bus will stop at the hospital from May.", "Sick people can soon be reached by public transport."),
    ("A retired engineer has repaired the village clock.", "The time can be read again, thanks to an old man."),
    ("Thieves took forty beehives from the orchard.", "Somebody has stolen the insects that make honey."),
    ("The school will have its own garden next year.", "Pupils are going to grow vegetables."),
    ("Heavy rain has washed away the path to the waterfall.", "Walkers can no longer get to the cascade."),
]


def digest(random: Random) -> LongCase:
    """Two sentences in other words; the question names nothing."""
    rows = random.sample(NEWS, 8)
    right = random.sample(range(8), 2)
    return LongCase([row[0] for row in rows], "What is new in the village?", [rows[k][1] for k in right], tuple(right))


def long_digest(random: Random) -> LongCase:
    """Four sentences in other words, some forty tokens and more."""
    rows = random.sample(NEWS, 10)
    right = random.sample(range(10), 4)
    return LongCase([row[0] for row in rows], "What is new in the village?", [rows[k][1] for k in right], tuple(right))


LONG: tuple[LongShape, ...] = (two_keepers, two_jobs, digest, long_digest)
