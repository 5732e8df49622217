"""Measure how often each head of the first picture does what its title says; prints the table of docs/tiny.md.

    python scripts/tiny/titles.py [STUDENT.gguf]

The sentences were not used to choose heads (gold.py's were) and are in no training text. As in the picture, words are
whole and special tokens are left out; a head is right in a row where its strongest key is what the title says. The next
column is how often a random key of the sentence would be right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from gold import sentences
from numpy.typing import NDArray
from pairs import TITLES

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.models.model import Model

HELD_OUT = """
the old librarian locked the cabinet before she left the building.
    article the librarian, the#2 cabinet, the#3 building; object cabinet locked, building left; refers she librarian
a stranger has stolen the bicycle from our garage.
    article a stranger, the bicycle; auxiliary has stolen; object bicycle stolen
my brother can repair the radio if he finds a screwdriver.
    article the radio, a screwdriver; auxiliary can repair; object radio repair, screwdriver finds; refers he brother
the bakery will open a second shop near the station.
    article the bakery, a shop, the#2 station; auxiliary will open; object shop open
did the plumber fix the kitchen tap?
    auxiliary did fix; article the plumber, the#2 tap; object tap fix
the gardener planted the roses, but they died during the winter.
    article the gardener, the#2 roses, the#3 winter; object roses planted; refers they roses
the girl lost a glove on the bus and she cried.
    article the girl, a glove, the#2 bus; object glove lost; refers she girl
our neighbours are painting the fence this weekend.
    auxiliary are painting; article the fence; object fence painting
the pilot could not see the runway because it was covered with snow.
    article the pilot, the#2 runway; auxiliary could see; object runway see; refers it runway
someone should water the plants while we visit the island.
    auxiliary should water; article the plants, the#2 island; object plants water, island visit
the judge read the letter twice and then he tore it!
    article the judge, the#2 letter; object letter read; refers he judge, it letter
a young nurse brought the patient a blanket.
    article a nurse, the patient, a#2 blanket; object blanket brought
the soldiers had crossed the river before the enemy destroyed the bridge.
    article the soldiers, the#2 river, the#3 enemy, the#4 bridge; auxiliary had crossed;
    object river crossed, bridge destroyed
will the committee accept the proposal?
    auxiliary will accept; article the committee, the#2 proposal; object proposal accept
the cook burned the soup, so he ordered a pizza.
    article the cook, the#2 soup, a pizza; object soup burned, pizza ordered; refers he cook
the actress forgot her lines when she saw the critic.
    article the actress, the#2 critic; object lines forgot, critic saw; refers she actress, her actress
these machines can sort a thousand letters in an hour.
    auxiliary can sort; article an hour; object letters sort
the tourists have already climbed the tower.
    article the tourists, the#2 tower; auxiliary have climbed; object tower climbed
a wolf chased the sheep until the shepherd fired a gun.
    article a wolf, the sheep, the#2 shepherd, a#2 gun; object sheep chased, gun fired
the student wrote an essay and the teacher praised it.
    article the student, an essay, the#2 teacher; object essay wrote; refers it essay
the mechanic cleaned the engine and he replaced a filter.
    article the mechanic, the#2 engine, a filter; object engine cleaned, filter replaced; refers he mechanic
the storm has damaged the roof of the church.
    article the storm, the#2 roof, the#3 church; auxiliary has damaged; object roof damaged
the parrot repeats every word if it likes the visitor.
    article the parrot, the#2 visitor; object word repeats, visitor likes; refers it parrot
the lawyer must sign the contract today.
    article the lawyer, the#2 contract; auxiliary must sign; object contract sign
"""
FUNCTION = frozenset(  # words of a closed class in these sentences
    "the a an my our her his these this every some of on in from near with before because while until if so and but "
    "then when during he she it they we someone will can could should must did do has have had are was is not".split()
)
END_MARKS = frozenset(".!?")

Rows = Iterator[tuple[int, set[int]]]  # (query, keys that are right)


def asked(title: str, words: tuple[str, ...], wanted: dict[str, list[tuple[int, int]]]) -> Rows:
    """The rows of a sentence in which a title can be true, with the keys that make it true.

    wanted: the sentence's relations, "article -> noun" and so on, as (query, key) indices of words.
    """
    n = len(words)
    content = {i for i, word in enumerate(words) if word.isalpha() and word not in FUNCTION}
    rules: dict[str, Callable[[], Rows]] = {
        "previous word": lambda: ((i, {i - 1}) for i in range(1, n)),
        "next word": lambda: ((i, {i + 1}) for i in range(n - 1)),
        "function word to content word": lambda: (
            (i, content) for i, word in enumerate(words) if word in FUNCTION and content
        ),
        "nearest content words": lambda: ((i, set(sorted(content, key=lambda j: abs(i - j))[:2])) for i in range(n)),
        "end marks": lambda: ((i, {j for j, word in enumerate(words) if word in END_MARKS}) for i in range(n)),
    }
    if title in rules:
        yield from rules[title]()
    relations = {
        "article to noun": ("article -> noun",),
        "object to its verb": ("object -> verb",),
        "pronoun to noun": ("pronoun -> its referent",),
    }
    for relation in relations.get(title, ()):
        yield from ((query, {key}) for query, key in wanted.get(relation, ()))


def shares(found: Attention, at: tuple[int, int], rows: Rows, title: str) -> tuple[list[bool], list[float]]:
    """(whether the head's strongest key is right, share of random keys that are right) for each row.

    "topic" is right in a row whose strongest key is the one of most rows; by chance, the one of most random rows.
    """
    weights: NDArray[np.float32] = found.select(heads=[f"{at[0]}.{at[1]}"]).weights[0, 0]
    strongest, n = weights.argmax(-1), len(weights)
    if title == "topic":
        most = int(np.bincount(strongest).argmax())
        drawn = np.random.default_rng(0).integers(0, n, (200, n))
        chance = np.mean([np.bincount(row).max() / n for row in drawn])
        return [bool(key == most) for key in strongest], [float(chance)] * n
    pairs = list(rows)
    return [int(strongest[i]) in keys for i, keys in pairs], [len(keys) / n for _, keys in pairs]


def held_out(model: Model) -> Iterator[tuple[Attention, dict[str, list[tuple[int, int]]]]]:
    """Each held-out sentence as in the picture, and its relations as indices of words: (query, key)."""
    for text, relations in sentences(HELD_OUT):
        attention = model.attend(text).words().without_special()
        starts = {start: place for place, (start, _) in enumerate(attention.queries.spans)}
        wanted: dict[str, list[tuple[int, int]]] = {}
        for (relation, query), keys in relations.items():
            wanted.setdefault(relation, []).extend((starts[query[0]], starts[key[0]]) for key in keys)
        yield attention, wanted


def measured(name: str) -> dict[tuple[int, int], tuple[str, int, float, float]]:
    """(layer, head) -> title, number of rows, share that is right, share by chance."""
    import attnviz

    right: dict[tuple[int, int], tuple[list[bool], list[float]]] = {at: ([], []) for at in TITLES}
    for found, wanted in held_out(attnviz.load(name)):
        for at, title in TITLES.items():
            hits, chances = shares(found, at, asked(title, found.query_tokens, wanted), title)
            right[at][0].extend(hits)
            right[at][1].extend(chances)
    return {
        at: (TITLES[at], len(hits), float(np.mean(hits)), float(np.mean(chances)))
        for at, (hits, chances) in right.items()
    }


def table(name: str) -> Iterator[str]:
    """The rows of docs/tiny.md."""
    yield "| head | title | rows | right | by chance |"
    yield "|---|---|---:|---:|---:|"
    for (layer, head), (title, count, share, chance) in measured(name).items():
        yield f"| {layer}.{head} | {title} | {count} | {share:.2f} | {chance:.2f} |"


if __name__ == "__main__":
    print("\n".join(table(sys.argv[1] if len(sys.argv) > 1 else "tiny")))
