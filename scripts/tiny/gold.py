"""Measure how often a head points from a word to the word that syntax links it to, in sentences annotated by hand.

    python scripts/tiny/gold.py STUDENT.gguf                 the student beside its teacher
    python scripts/tiny/gold.py                              the teacher alone

A head is right if the strongest key of the word's last piece, among the keys that are not special tokens (the word
itself is one of them), is a piece of the wanted word. The table has, for each relation in both directions: the best of
the teacher's heads that the student imitates, the student's head that imitates it, and the best fixed distance, in the
teacher's pieces: "+1" always points to the next one. Best heads and distances are chosen on these same sentences,
which raises their numbers a little if n, the number of words, is small. For a pronoun's referent the baseline is not a
distance but the first noun: most referents here are the first noun of their sentence.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pairs import PAIRS

FEWEST = 25  # words; a relation with fewer is not measured
OFFSETS = range(-5, 6)
RELATIONS = {  # name in GOLD -> names of its two ends
    "article": ("article", "noun"),
    "adjective": ("adjective", "noun"),
    "possessive": ("owner", "owned"),
    "subject": ("subject", "verb"),  # including passives, but not copulas
    "object": ("object", "verb"),
    "pronoun": ("pronoun object", "verb"),
    "auxiliary": ("auxiliary", "verb"),
    "preposition": ("preposition", "its noun"),
    "copula": ("copula", "predicate"),
    "conjunct": ("conjunct", "earlier one"),
    "refers": ("pronoun", "its referent"),
}
# A sentence, and below it its relations, "query key"; word#2 is a word's second occurrence. A query may have several
# keys: each is right.
GOLD = """
the museum bought two small paintings from a widow in vienna.
    article the museum, a widow; adjective small paintings; subject museum bought; object paintings bought;
    preposition from widow, in vienna
scientists have discovered a new planet beyond the edge of our solar system.
    auxiliary have discovered; article a planet, the edge; adjective new planet, solar system; possessive our system;
    subject scientists discovered; object planet discovered; preposition beyond edge, of system
can you lend me your umbrella until tomorrow?
    auxiliary can lend; subject you lend; pronoun me lend; possessive your umbrella; object umbrella lend;
    preposition until tomorrow
the committee will publish its final report next month.
    article the committee; auxiliary will publish; possessive its report; adjective final report, next month;
    subject committee publish; object report publish; refers its committee
these cookies were baked by my grandmother this afternoon.
    auxiliary were baked; subject cookies baked; preposition by grandmother; possessive my grandmother
why did the engine stop in the middle of the race?
    auxiliary did stop; article the engine, the#2 middle, the#3 race; subject engine stop;
    preposition in middle, of race
the guide who met us at the airport spoke excellent english.
    article the guide, the#2 airport; adjective excellent english; subject guide spoke, who met; pronoun us met;
    object english spoke; preposition at airport; refers who guide
a gentle rain fell on the dusty fields all night.
    article a rain, the fields; adjective gentle rain, dusty fields; subject rain fell; preposition on fields
oil prices rose sharply after the government cut its exports.
    article the government; subject prices rose, government cut; object exports cut; possessive its exports;
    refers its government
her brother repairs old radios and sells them on the internet.
    possessive her brother; adjective old radios; subject brother repairs; object radios repairs; pronoun them sells;
    preposition on internet; article the internet; refers them radios; conjunct sells repairs
the vaccine protects children against a dangerous disease.
    article the vaccine, a disease; adjective dangerous disease; subject vaccine protects; object children protects;
    preposition against disease
nobody told me about the accident.
    subject nobody told; pronoun me told; preposition about accident; article the accident
is this the shortest way to the railway station?
    copula is way; adjective shortest way; article the way, the#2 station; preposition to station
the judge was furious, and the witnesses were silent.
    copula was furious, were silent; article the judge, the#2 witnesses
we need bread, butter, cheese and a dozen eggs.
    subject we need; object bread need; article a dozen;
    conjunct butter bread, cheese bread, cheese butter, eggs bread, eggs butter, eggs cheese
the senator has never answered that question in public.
    article the senator; auxiliary has answered; subject senator answered; object question answered;
    preposition in public
a large crowd gathered outside the palace to greet the young emperor.
    article a crowd, the palace, the#2 emperor; adjective large crowd, young emperor; subject crowd gathered;
    object emperor greet; preposition outside palace
my phone has lost its signal; could i use yours?
    possessive my phone, its signal; auxiliary has lost, could use; subject phone lost, i use; object signal lost;
    pronoun yours use; refers its phone
the letter was written by hand in green ink.
    article the letter; auxiliary was written; subject letter written; preposition by hand, in ink;
    adjective green ink
engineers tested the brakes of the train before its first journey.
    subject engineers tested; object brakes tested; article the brakes, the#2 train; adjective first journey;
    preposition of train, before journey; possessive its journey; refers its train
the girl's teacher praised her brilliant essay.
    article the girl; possessive girl teacher, her essay; adjective brilliant essay; subject teacher praised;
    object essay praised; refers her girl
our neighbours are friendly people, but their dogs bark at strangers.
    possessive our neighbours, their dogs; copula are people; adjective friendly people; subject dogs bark;
    preposition at strangers; refers their neighbours
the researchers compared the cells of healthy patients with those of smokers.
    article the researchers, the#2 cells; subject researchers compared; object cells compared;
    adjective healthy patients; preposition of patients, with those, of#2 smokers
what did your sister buy for the wedding?
    auxiliary did buy; possessive your sister; subject sister buy; preposition for wedding; article the wedding
the storm destroyed hundreds of homes along the coast.
    article the storm, the#2 coast; subject storm destroyed; object hundreds destroyed;
    preposition of homes, along coast
he warned us twice, yet we ignored him.
    subject he warned, we ignored; pronoun us warned, him ignored
a thick fog covered the bridge, so the ferry waited in the bay.
    article a fog, the bridge, the#2 ferry, the#3 bay; adjective thick fog; subject fog covered, ferry waited;
    object bridge covered; preposition in bay
the new law forbids smoking in restaurants and bars.
    article the law; adjective new law; subject law forbids; object smoking forbids; preposition in restaurants;
    conjunct bars restaurants
she is an honest politician and a patient mother.
    copula is politician; article an politician, a mother; adjective honest politician, patient mother;
    conjunct mother politician
the players thanked their coach after the final whistle.
    article the players, the#2 whistle; possessive their coach; adjective final whistle; subject players thanked;
    object coach thanked; preposition after whistle; refers their players
two of the suspects were arrested at the border on friday.
    article the suspects, the#2 border; auxiliary were arrested; subject two arrested;
    preposition of suspects, at border, on friday
electric cars are quiet, cheap to run and kind to the air.
    adjective electric cars; copula are quiet; conjunct cheap quiet, kind quiet, kind cheap; preposition to#2 air;
    article the air
does the soup need more salt?
    auxiliary does need; article the soup; subject soup need; object salt need; adjective more salt
the company's profits fell because customers bought fewer computers.
    article the company; possessive company profits; subject profits fell, customers bought; object computers bought;
    adjective fewer computers
i met an old friend at the theatre, and he invited me to his birthday party.
    article an friend, the theatre; adjective old friend; subject i met, he invited; object friend met;
    pronoun me invited; possessive his party; preposition at theatre, to party; refers he friend, his friend, his he
the volcano that destroyed the ancient city is still active.
    article the volcano, the#2 city; adjective ancient city; subject that destroyed; object city destroyed;
    copula is active; refers that volcano
please put the plates on the table and wash the dirty spoons.
    article the plates, the#2 table, the#3 spoons; adjective dirty spoons; object plates put, spoons wash;
    preposition on table; conjunct wash put
a telescope in the desert has photographed a distant galaxy.
    article a telescope, the desert, a#2 galaxy; adjective distant galaxy; auxiliary has photographed;
    subject telescope photographed; object galaxy photographed; preposition in desert
the mayor's speech was short, dull and full of mistakes.
    article the mayor; possessive mayor speech; copula was short; conjunct dull short, full dull, full short;
    preposition of mistakes
if you see them, tell them the truth.
    subject you see; pronoun them see, them#2 tell; object truth tell; article the truth
the wolves followed the herd across the frozen lake.
    article the wolves, the#2 herd, the#3 lake; adjective frozen lake; subject wolves followed; object herd followed;
    preposition across lake
this medicine may cause headaches, fever and mild pain.
    auxiliary may cause; subject medicine cause; object headaches cause; adjective mild pain;
    conjunct fever headaches, pain headaches, pain fever
the novel was translated into forty languages and became a famous film.
    article the novel, a film; auxiliary was translated; subject novel translated; preposition into languages;
    adjective famous film; copula became film; conjunct became translated
who taught you to play the violin so beautifully?
    subject who taught; pronoun you taught; object violin play; article the violin
the captain steered the damaged ship safely into a harbour.
    article the captain, the#2 ship, a harbour; adjective damaged ship; subject captain steered; object ship steered;
    preposition into harbour
bees carry pollen from one flower to another.
    subject bees carry; object pollen carry; preposition from flower, to another
their plan sounds simple, but it will cost a fortune.
    possessive their plan; copula sounds simple; auxiliary will cost; subject it cost; object fortune cost;
    article a fortune; refers it plan
the waiter brought us the menu and a jug of cold water.
    article the waiter, the#2 menu, a jug; subject waiter brought; pronoun us brought; object menu brought;
    conjunct jug menu; adjective cold water; preposition of water
have the results been checked by an independent expert?
    auxiliary have checked, been checked; article the results, an expert; adjective independent expert;
    subject results checked; preposition by expert
my uncle grows tomatoes, beans and strawberries behind his house.
    possessive my uncle, his house; subject uncle grows; object tomatoes grows; preposition behind house;
    conjunct beans tomatoes, strawberries tomatoes, strawberries beans; refers his uncle
the clerk that i phoned gave me the wrong address.
    article the clerk, the#2 address; subject i phoned, clerk gave; pronoun me gave; object address gave;
    adjective wrong address; refers that clerk
in winter the river freezes and children skate on it.
    preposition in winter, on it; article the river; subject river freezes, children skate; refers it river
the actress wore a long silver dress at the ceremony.
    article the actress, a dress, the#2 ceremony; adjective long dress, silver dress; subject actress wore;
    object dress wore; preposition at ceremony
workers at the factory demanded higher wages and safer machines.
    article the factory; subject workers demanded; object wages demanded; preposition at factory;
    adjective higher wages, safer machines; conjunct machines wages
should i call her, or will she call me?
    auxiliary should call, will call#2; subject i call, she call#2; pronoun her call, me call#2
the president signed the treaty in a quiet ceremony on tuesday.
    article the president, the#2 treaty, a ceremony; subject president signed; object treaty signed;
    adjective quiet ceremony; preposition in ceremony, on tuesday
the enzyme breaks proteins into smaller molecules.
    article the enzyme; subject enzyme breaks; object proteins breaks; adjective smaller molecules;
    preposition into molecules
the thieves hid the jewels under a wooden floor, where the police found them.
    article the thieves, the#2 jewels, a floor, the#3 police; adjective wooden floor; subject thieves hid, police found;
    object jewels hid; pronoun them found; preposition under floor; refers them jewels
your answer is correct, although your method was rather slow.
    possessive your answer, your#2 method; copula is correct, was slow
millions of fans watched the match on their televisions.
    preposition of fans, on televisions; article the match; subject millions watched; object match watched;
    possessive their televisions; refers their fans, their millions
the software crashed when a user opened two windows at once.
    article the software, a user; subject software crashed, user opened; object windows opened
leo's cousin is a famous chemist, isn't she?
    possessive leo cousin; copula is chemist; article a chemist; adjective famous chemist; refers she cousin
the bell rang, and the pupils closed their notebooks.
    article the bell, the#2 pupils; subject bell rang, pupils closed; object notebooks closed;
    possessive their notebooks; refers their pupils
the surgeons could not save him, so his wife sued the hospital.
    article the surgeons, the#2 hospital; auxiliary could save; subject surgeons save, wife sued; pronoun him save;
    possessive his wife; object hospital sued
a man in a grey suit asked me for a light.
    article a man, a#2 suit, a#3 light; adjective grey suit; subject man asked; pronoun me asked;
    preposition in suit, for light
heavy traffic had blocked the tunnel for hours.
    adjective heavy traffic; auxiliary had blocked; subject traffic blocked; object tunnel blocked;
    article the tunnel; preposition for hours
the experiment failed; its temperature was too high.
    article the experiment; subject experiment failed; possessive its temperature; copula was high;
    refers its experiment
someone has stolen my glasses; please help me find them.
    auxiliary has stolen; subject someone stolen; possessive my glasses; object glasses stolen;
    pronoun me help, them find; refers them glasses
the soldiers buried their dead and left the burning village.
    article the soldiers, the#2 village; subject soldiers buried; object dead buried, village left;
    possessive their dead; adjective burning village; conjunct left buried; refers their soldiers
do not touch it; the paint is wet.
    auxiliary do touch; pronoun it touch; article the paint; copula is wet
the lectures were long, but the discussion afterwards was lively.
    article the lectures, the#2 discussion; copula were long, was lively
honey is sweet, lemons are sour and coffee is bitter.
    copula is sweet, are sour, is#2 bitter
am i late, or is everyone else early?
    copula am late, is early
the first computers were enormous machines; today they are smaller than a coin.
    article the computers, a coin; adjective first computers, enormous machines; copula were machines, are smaller;
    refers they computers
she has been a member of the orchestra since june.
    copula been member; article a member, the orchestra; preposition of orchestra, since june
his voice was calm while he read it to us.
    possessive his voice; copula was calm; subject he read; pronoun it read; preposition to us
her parents sent her to a boarding school and visited her twice a year.
    possessive her parents; subject parents sent; pronoun her#2 sent, her#3 visited; article a school, a#2 year;
    preposition to school; conjunct visited sent
the documentary moved me deeply; you must watch it.
    article the documentary; subject documentary moved, you watch; pronoun me moved, it watch; auxiliary must watch;
    refers it documentary
copper, tin and zinc are metals; oxygen and nitrogen are gases.
    conjunct tin copper, zinc copper, zinc tin, nitrogen oxygen; copula are metals, are#2 gases
the choir sang hymns, carols and two modern songs.
    article the choir; subject choir sang; object hymns sang; adjective modern songs;
    conjunct carols hymns, songs hymns, songs carols
most birds can fly, but an ostrich cannot.
    subject birds fly; auxiliary can fly; article an ostrich
doctors and nurses worked day and night during the epidemic.
    conjunct nurses doctors, night day; subject doctors worked; preposition during epidemic; article the epidemic
"""

# sentence -> the span of each token in it (first character, last + 1; empty for a special token), and the weights
# [layer, head, query, key]
Attend = Callable[[str], tuple[list[tuple[int, int]], NDArray[np.float32]]]
Span = tuple[int, int]


class Score(NamedTuple):
    """n: number of words; heads: share for which the head is right [layer, head]; offsets: by distance."""

    n: int
    heads: NDArray[np.float64]
    offsets: NDArray[np.float64]


def sentences(gold: str = GOLD) -> Iterator[tuple[str, dict[tuple[str, Span], list[Span]]]]:
    """Each sentence with its wanted keys: (relation, query's characters) -> the keys' characters."""
    for block in re.split(r"\n(?=\S)", gold.strip()):
        text, *lines = block.split("\n")
        found: dict[tuple[str, Span], list[Span]] = {}
        for part in " ".join(lines).split(";"):
            name, *words = part.replace(",", " ").split()
            query_name, key_name = RELATIONS[name]
            for query, key in zip(words[::2], words[1::2], strict=True):
                a, b = _place(text, query), _place(text, key)
                found.setdefault((f"{query_name} -> {key_name}", a), []).append(b)
                found.setdefault((f"{key_name} -> {query_name}", b), []).append(a)
        yield text, found


def _place(text: str, word: str) -> Span:
    """The span of a word; word#2: of its second occurrence."""
    word, _, number = word.partition("#")
    return [m.span() for m in re.finditer(r"\w+", text) if m[0] == word][int(number or 1) - 1]


def syntax(attend: Attend) -> dict[str, Score]:
    """Every relation of GOLD in both directions, "query -> key", if it has FEWEST words or more."""
    right: dict[str, list[NDArray[np.bool_]]] = {}
    near: dict[str, list[list[bool]]] = {}
    for text, wanted in sentences():
        spans, weights = attend(text)
        plain = np.array([i for i, (start, stop) in enumerate(spans) if stop > start])
        strongest = plain[weights[..., plain].argmax(-1)]  # [layer, head, query]
        for (relation, query), keys in wanted.items():
            row = _pieces(spans, query)[-1]
            aims = [piece for key in keys for piece in _pieces(spans, key)]
            right.setdefault(relation, []).append(np.isin(strongest[..., row], aims))
            near.setdefault(relation, []).append([row + k in aims for k in OFFSETS])
    return {
        name: Score(len(hits), np.mean(hits, 0), np.mean(near[name], 0))
        for name, hits in right.items()
        if len(hits) >= FEWEST
    }


def _pieces(spans: list[Span], word: Span) -> list[int]:
    return [i for i, (start, stop) in enumerate(spans) if max(start, word[0]) < min(stop, word[1])]


def table(teacher: dict[str, Score], student: dict[str, Score] | None = None) -> list[str]:
    """One line per relation, sorted by the teacher's share; a head is named layer.head."""
    ends = [(layer, head, at) for layer, heads in PAIRS.items() for at, head in enumerate(heads)]
    lines = [f"{'query -> key':28}{'n':>5}" + "".join(f"{n:>9}{'right':>7}" for n in ("teacher", "student", "offset"))]
    rows = []
    for name, score in teacher.items():
        layer, head, at = max(ends, key=lambda end, s=score: s.heads[end[:2]])
        best = score.heads[layer, head]
        theirs = f"{f'{layer}.{at}':>9}{student[name].heads[layer, at]:7.2f}" if student else f"{'-':>9}{'-':>7}"
        k = int(score.offsets.argmax())
        line = f"{name:28}{score.n:5}{f'{layer}.{head}':>9}{best:7.2f}{theirs}{OFFSETS[k]:+9}{score.offsets[k]:7.2f}"
        rows.append((-best, line))
    return lines + [line for _, line in sorted(rows)]


def _attend(name: str) -> Attend:
    """A model that attnviz knows or finds."""
    import attnviz

    model = attnviz.load(name)

    def attend(text: str) -> tuple[list[Span], NDArray[np.float32]]:
        attention = model.attend(text)
        return list(attention.queries.spans), attention.weights

    return attend


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("student", nargs="?", help="the .gguf file")
    asked.add_argument("-m", "--teacher", default="minilm", help="all-MiniLM-L6-v2, as attnviz names it or a folder")
    args = asked.parse_args()
    print("\n".join(table(syntax(_attend(args.teacher)), syntax(_attend(args.student)) if args.student else None)))


if __name__ == "__main__":
    main()
