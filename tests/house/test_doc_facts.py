"""Every number in the sentences of the remaining pages is read from the code, a file or a run, or listed with its kind.

As tests/house/test_doc_numbers.py does for docs/analysis. docs/commands.md is generated from the help, which
tests/house/test_help_is_true.py reads.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers.doc_numbers import left_over, prose
from helpers.paths import INPUTS, REFERENCE, ROOT
from helpers.sentences import TIRED

import attnviz
from attnviz.checkpoints.weights import Weights
from attnviz.measures import steps_recorder
from attnviz.models.find import TINY
from attnviz.page import diagram, diagram_canvas, diagram_scores

HEADS = json.loads(TINY.with_name("heads.json").read_text())
DEFINED = "a formula or a setting, not a result"
RECORD = "measured once: needs torch, training, other machines or hours; the page says what and how"
RELEASE = "a release of a program that the page names"
PICTURE = "tests/page/test_first_picture.py reads the share that is right and the bound; no test reads rows and chance"
THEIRS = "what another program does, checked against it when the line was written"
PICTURE_OF_LARGE = "what the picture shows: -l 0,31 -H 0-7 of 32 ids"
# Numbers that no test here reads: page -> (pattern, their kind).
UNREAD: dict[str, list[tuple[str, str]]] = {
    "docs/corpora.md": [
        (r"A study: all-MiniLM-L6-v2 on 21,516 sentences .*$", "printed by scripts/study_corpus.py and by the report"),
        (r"its number from 0;|`rank` from 0,|and so on, from 0 to 1\)|sd with n − 1|It is 0 for the same", DEFINED),
        (r"hundreds of links of weight 1\.", DEFINED),
        (r"0\.035 in the study below", "printed by scripts/study_corpus.py"),
    ],
    "docs/steps.md": [
        (r"each sums to 1|below 0 where it pulls|counted from 0|what 1/√d_k would", DEFINED),
        (r"\| \d \| (?=embedding|raw|scaled|masked|weight|norm_share|head_output)", "the steps' numbers"),
        (r"it takes the last layer, head 0,", "a default, held by tests/analyses/test_steps.py"),
    ],
    "docs/tiny.md": [
        (r"on 24 sentences that were not used|\| \d\.\d \| [a-z, ]+ \| \d+ (?:\| \d\.\d\d ){2}\| \d\.\d \|", PICTURE),
        (r"(?<=\| )\d+,\d{3}(?= \|)|\d\.\d\dM|1790 to 2021", RECORD),
        (r"\d\.\d{3} \| \d\.\d\d \|(?! \d)|(?:\| \d\.\d{4} \| \d\.\d{3} )+\|", RECORD),  # of run 2; by text
        (r"88 passages of all the texts below \(3,392 rows|38 minutes|every distance up to 12", RECORD),
        (r"(?:means over rows|AdamW|18 million tokens).*?(?=one core|: means|- 18|, then a cosine)", RECORD),
        (r"weight decay 0\.01, gradients clipped at 1; batches of about 1,800|and 10 GB", RECORD),
        (r"by less than 0\.0001: 0\.02461 before, 0\.02461 after", RECORD),
        (r"js 0\.025 and top-1 0\.72 over at least 24|\(0: equal, ", "the aim; a bound"),
        (r"blocks of 32 numbers in 8 bits", "the format Q8_0, tests/checkpoints/test_gguf.py"),
    ],
    "docs/mechanisms.md": [
        (r"rows that sum to 1", DEFINED),
        (r"here p from 1\.0 to 1\.3", RECORD),
        (r"layer 0 and head 0, unless", "a default, held by tests/analyses/test_mechanisms_command.py"),
    ],
    "docs/inputs.md": [
        (r"transformers 4 and 5|transformers 5 does so with pictures, 4 drops", RELEASE),
        (r"the model's window \(30 s\)", "Whisper's own setting"),
        (r"agree with `WhisperFeatureExtractor` to 2e-7", "test_log_mel_spectra_are_as_near_as_said"),
        (r"by 1/255 in some pixels|differs by up to 3e-5 from both", THEIRS),
        (r"16-bit grey \| scaled to 8 bits|row 3 and column 4 \(counted from 0\)", DEFINED),
        (r"flat to 0\.9 of", "held by tests/inputs/test_sound.py"),
    ],
    "docs/models.md": [
        (r"before version 1\.6|5\.23 is followed|in 4\.46 to 4\.57; 5\.x ignores|are 5\.23's|follow 4\.46:", RELEASE),
        (r"round to 8 bits|texts beyond 4,096 tokens", THEIRS),
        (r"Numbers of 64 to 16 bits", "held by tests/checkpoints/test_safetensors.py"),
        (
            r"above 1 \||other than 1 \||multiple of 4 \|",
            "refused values, held by tests/families/test_published_configs.py",
        ),
    ],
    "docs/figures.md": [
        (r"`layer = 3`, `layer = \"0-3\"` and `layer = \[0, 2\]`|because 3\.10 as a number would be 3\.1", DEFINED),
        (r"the exit status is 1|`--workers 1`", "held by tests/cli/test_figures.py"),
    ],
    "docs/cluster.md": [
        (r"sentences of 3 to 40 words \(24 tokens on average\), parts of 1,000 texts", DEFINED),
        (r"a load of 8 to 12 on two|\| texts a CPU second \| \d+ \| \d+ \|", RECORD),
        (r"bytes on disk a text \| 4,120 \| 2,330 \|", RECORD),
        (r"sums a part \| 1\.0 MB \| 0\.08 MB|was 282 MiB\. Dask added 52 ms to each part, 15 ms of them", RECORD),
        (r": 15 s for the thousand parts|took 26 ms of CPU|are 6\.4 MB in memory", RECORD),
    ],
    "docs/tokenizers.md": [(r"(?:4\.46|5\.23)(?:\.\d)?(?:'s)?|5\.x|U\+2028", RELEASE)],
    "docs/architecture.md": [
        (r"Some 5,000 checkpoints", "tiny checkpoints of every variant, made and compared by scripts/, not kept"),
        (r"agree to 1e-5", "the tolerance of tests/families/test_reference.py"),
        (r"144 panels cost what", DEFINED),
        (r"About 6,000 lines, in this order", "held by tests/house/test_reading_path.py"),
        (r"a contrast of 4\.5:1 at least", "held by tests/page/test_ink.py"),
        (r"median of 15 pairs: 1\.01 times|0\.96 with libraqm|of 5 points is 3\.7 % wider|1\.9 % narrower", RECORD),
        (r"to 1e-6|of 12 tokens took about 2 %|83 of the 138|in 73 lines: 17 in|, 12 in|, 11 each in|, 6 in", RECORD),
        (r", 4 in|, 3 each in|, 2 in|19 of these|release 2\.13|6 more streams|torch took 2\.2 to 2\.8 times", RECORD),
        (r"with version 2\.4|same 12 requests, and 0\.17 s instead of 0\.28 s|time out \(10 s\)", RECORD),
        (r"the Hub answers 503|without it 23 tests fail|take 3 min 40 s instead of 24 s", RECORD),
        (r"takes 0\.32 to 0\.43 s of CPU|median of 15 runs|it takes 0\.06 s", RECORD),
        (r"from version 0\.29 on|0\.50 s instead of 0\.60 s|\(15 runs of each, in turn\)", RECORD),
    ],
    "docs/series.md": [
        (r"head 1\.3 of another|numbered from 1\.|0 in the last checkpoint|step 0 is", DEFINED),
        (r"The run in the picture .*? at step 2,500\.|over 2,500 steps", RECORD),
    ],
    "docs/terminal.md": [
        (r"256 colours|written as 0\.00|OSC 11, then DA1", "of terminals, held by tests/render/test_background.py"),
        (r"Linux from 6\.2 on forbids this unless `[^`]*` is 1", "the release that forbids TIOCSTI, and its setting"),
    ],
    "docs/page.md": [(r"view=map&layer=3&head=1&token=10&key=2", "an address")],
    "docs/formats.md": [
        (r"has 256 colours per frame", "the format GIF"),
        (r"tokens from 0, as `|or \[layer, 1, head", "where indices begin, and a shape"),
        (r"a contrast of at least 4\.5:1", "held by tests/render/test_running_text.py"),
    ],
    "docs/large.md": [
        (r"7 billion parameters is a GGUF file of 3\.8 GB", "written by benchmarks/large.py"),
        (r"heads 0 to 7 of layers 0 and 31", PICTURE_OF_LARGE),
        (r"\(1e-6 of the sum of sizes\)", "the tolerance of tests/checkpoints/test_matrices.py"),
        (r"numbers of 8 bits|0 keeps none", DEFINED),
        (r"Two cores of an AMD EPYC.*?0\.09 s of CPU time", RECORD),
    ],
    "docs/adding-a-family.md": [(r"1e-1 in|1e-1 from|1e-4 everywhere|(?<= )[2-6]\. ", "rules of thumb; list numbers")],
    "docs/adding-an-analysis.md": [],
    "docs/gallery.md": [],
    "SECURITY.md": [
        (r"exit 143\) or SIGHUP \(129\)", "held by tests/cli/test_signals.py"),
        (r"exit status 1\.", "held by tests/cli/test_cli.py"),
        (r"truly has 10,000 layers", "an example"),
    ],
}


@cache
def tiny():
    return attnviz.load("tiny")


@cache
def minilm():
    return attnviz.load("minilm")


def row(values, digits=0):
    return " ".join(f"{value:.{digits}f}".replace("-", "−") for value in values)


def of_steps():
    """The example computed with plain NumPy, as the page says is possible."""
    with np.load(ROOT / "sample_inputs" / "by_hand.npz") as file:
        w = {name: file[name] for name in file.files}
    x = w["embedding"] + w["positions"]
    q, k, v = (x @ w[name][:, :4] for name in ("W_Q", "W_K", "W_V"))
    raw = q[2] @ k.T
    scores = raw / 2
    unscaled, a = (np.exp(e) / np.exp(e).sum() for e in (raw, scores))
    entropy = [-(p * np.log(p)).sum() for p in (unscaled, a)]
    o = a @ v
    k1, v1 = (x @ w[name][:, 4:] for name in ("W_K", "W_V"))
    other = np.exp((x @ w["W_Q"][:, 4:])[2] @ k1.T / 2)
    y = [o @ w["W_O"][:4], other / other.sum() @ v1 @ w["W_O"][4:]]
    total = np.exp(scores).sum()
    pairs = ((f"{i:.0f}", f"{j:.0f}" if j >= 0 else f"(−{-j:.0f})") for i, j in zip(q[2], k[0], strict=True))
    terms = " + ".join(f"{i}·{j}" for i, j in pairs)
    heads = [f"({row(one, 2).replace(' ', ', ')})" for one in (*y, y[0] + y[1])]
    assert (
        w["W_Q"].shape == (2, 8) and int(w["n_heads"]) == 2 and all((w[name] % 1 == 0).all() for name in ("W_O", "W_V"))
    )
    return [
        f"The page is {diagram_canvas.WIDE / 72:.0f} inches wide",
        f"Of more than {diagram_scores.KEYS} keys or {diagram.HEADS} heads the {diagram_canvas.FEWER} with",
        "two heads of width 4, so that √d_k is 2",
        f"`tea` is ({row(w['embedding'][2]).replace(' ', ', ')}); at place 2 the position "
        f"({row(w['positions'][2]).replace(' ', ', ')}) is added: x_2 = ({row(x[2]).replace(' ', ', ')})",
        f"{x[2, 0]:.0f} · ({row(w['W_Q'][0, :4])}) + {x[2, 1]:.0f} · ({row(w['W_Q'][1, :4])}) = ({row(q[2])})",
        f"{x[1, 0]:.0f} · ({row(w['W_K'][0, :4])}) + {x[1, 1]:.0f} · ({row(w['W_K'][1, :4])}) = ({row(k[1])})",
        f"e_2,0 = {terms} = {raw[0]:.0f}, e_2,1 = {raw[1]:.0f}, e_2,2 = {raw[2]:.0f}",
        f"√d_k = √4 = 2: {scores[0]:.0f}, {scores[1]:.0f} and {scores[2]:.0f}",
        f"would give {unscaled[0]:.2f}, {unscaled[1]:.2f} and {unscaled[2]:.2f}, an entropy of {entropy[0]:.2f} nats; "
        f"with it {a[0]:.2f}, {a[1]:.2f} and {a[2]:.2f}, which is {entropy[1]:.2f} of at most ln 3 = {math.log(3):.2f}",
        f"exp(0) = 1, exp(1) = {math.e:.3f}, exp(2) = {math.exp(2):.3f}; their sum is {total:.3f}. So a_2,0 = 1 / "
        f"{total:.3f} = {a[0]:.2f}, a_2,1 = {a[1]:.2f} and a_2,2 = {a[2]:.2f}",
        f"o_2 = {a[0]:.2f} · ({row(v[0])}) + {a[1]:.2f} · ({row(v[1])}) + {a[2]:.2f} · ({row(v[2])})",
        f"Its first number is {a[0] * v[0, 0]:.2f} + 0 + {a[2] * v[2, 0]:.2f} = {o[0]:.2f}",
        f"({o[0]:.2f} + {o[2]:.2f}, {o[1]:.2f} + {o[3]:.2f}) = {heads[0]}",
        f"Head 1 (`-H 1`) gives {heads[1]}. The sum is y_2 = {heads[2]}",
        f"longer than about {math.isqrt(steps_recorder.WHOLE)} tokens",
    ]


def of_tiny():
    from attnviz.checkpoints import open_checkpoint

    stored = open_checkpoint(TINY)
    sizes = {name: math.prod(tensor.shape) for name, tensor in stored.tensors.items()}
    layer = sum(size for name, size in sizes.items() if name.startswith("blk.0."))
    spec, n_all = tiny().spec, spec_heads(tiny())
    teacher = minilm().spec
    n_teacher = spec_heads(minilm())
    filling = [head for head in HEADS if head["layer"] == 5 and head["teacher_head"] in (1, 7, 9, 10, 5)]
    others = [head["top1"] for head in HEADS if head not in filling]
    assert len(filling) == 5
    taught = {(head["layer"], head["head"]) for head in HEADS}
    assert all((layer, head) in taught for layer in range(5, 6) for head in range(8))
    mean = {name: np.mean([head[name] for head in HEADS]) for name in ("js", "top1")}
    assert mean["js"] < 0.025  # the aim
    rows = [
        f"| {h['layer']}.{h['head']} | {h['teacher_layer']}.{h['teacher_head']} | {h['does']} | {h['js']:.3f} | "
        f"{h['top1']:.2f} |"
        for h in HEADS
    ]
    reads = tiny().tokenizer.n_vocab, tiny().spec.absolute.size
    return [
        f"a BERT of {spec.n_layers} layers x {spec.n_heads} heads",
        f"{sum(sizes.values()):,} numbers: {reads[0]:,} word pieces and {reads[1]} positions of width "
        f"{spec.d_model}, six layers of {layer:,} with an MLP of width {spec.d_mlp}",
        f"one GGUF file of {TINY.stat().st_size:,} bytes",
        f"of {teacher.n_layers} layers x {teacher.n_heads} heads, d_model {teacher.d_model}",
        f"Of its {n_teacher} heads {len(HEADS)} were chosen",
        f"The other {n_all - len(HEADS)} heads of tiny, all of them in layers 0 to 4",
        f"{math.log(2):.2f}: nothing in common)",
        f"reached over all {len(HEADS)}, the second is not ({np.mean(others):.2f} over the {len(others)} heads",
        f"At most {reads[1]} tokens",
        f"`-m minilm` {minilm().spec.absolute.size}",
        f"rows of its {len(HEADS)} heads",
        f"| unseen | 100,181 | {mean['js']:.4f} | {mean['top1']:.3f} ",
        *rows,
        *syntax(),
    ]


def spec_heads(model):
    return model.spec.n_layers * model.spec.n_heads


def syntax():
    """The rows of scripts/tiny/gold.py, run on the published file."""
    script = ROOT / "scripts" / "tiny" / "gold.py"
    done = subprocess.run([sys.executable, script, TINY], capture_output=True, text=True, check=True, cwd=ROOT)
    found = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()[1:]]
    assert len(found) == 22
    count = len(re.findall(r"^\S", script.read_text().partition('GOLD = """\n')[2].partition('"""')[0], re.M))
    rows = [f"| {one[0].replace('->', '→')} | {' | '.join(' '.join(one[1:]).split())} |" for one in found]
    return [f"On {count} sentences annotated by hand", *rows]


def of_mechanisms():
    from attnviz.analyses.side_by_side import compare
    from attnviz.variants.scaling import D_HEAD, FITTED, LONGEST, SIZES

    panels, left_out = compare(attnviz.load("seeded"), TIRED)
    assert not left_out
    assert {29: "Twenty-nine"}[len(panels)] + " kinds of attention on one sentence" in prose("docs/mechanisms.md")
    assert FITTED == 4
    return [
        f"one head of {D_HEAD} dimensions on one thread, from {SIZES[0]} tokens on, until a text takes longer than "
        f"{LONGEST} s",
    ]


def of_inputs():
    from attnviz.inputs.pictures import MAX_PIXELS

    return [
        f"up to {MAX_PIXELS // 10**6} million pixels",
        "PCM of 8, 16, 24 or 32 bits, floating point of 32 or 64",  # tests/inputs/test_sound.py reads each
    ]


def of_models():
    releases = json.loads((ROOT / "attnviz" / "families" / "_read_keys.json").read_text())["releases"].split()
    assert releases[0].startswith("4.46.") and releases[-1].startswith("5.23.")
    spec = tiny().spec
    return [
        "in any release of transformers from 4.46 to 5.23",
        f"a GGUF file of {TINY.stat().st_size / 1e6:.0f} MB: a BERT of {spec.n_layers} layers x {spec.n_heads} heads "
        f"and {spec.absolute.size} positions",
    ]


def of_tokenizers():
    from helpers import token_reference as compared

    found = compared.EXPECTED
    texts, pairs, folders = len(found["texts"]), len(found["pairs"]), len(found["v4"])
    differs = found["v5_where_it_differs"]
    assert pairs == 2 and sum(len(own) for own in compared.OWN.values()) == 7 and len(differs) == folders - 1
    every = texts + pairs
    changed = sum(len(differs[one] if isinstance(one, str) else one) for one in differs.values())
    return [
        f"writes {folders} folders",
        f"give for {texts} texts and two pairs",
        f"compares all {folders * every:,} with 4.46.3; these seven differ",
        f"{changed:,} of the {len(differs) * every:,} comparisons",
    ]


def of_architecture():
    from attnviz.page.colour_limits import LONG
    from attnviz.page.scale import FEW
    from attnviz.render.ink import INK

    return [
        f"falls in equal steps from 100 to {INK.last:.0f}, measured",
        f"linear up to {FEW} keys to a row, square root beyond",
        f"beyond {LONG} keys what a quarter of the rows reach",
        f"of {sum(path.is_dir() for path in REFERENCE.iterdir())} families, made with",
        "in every release from 4.46 on",
    ]


def of_terminal():
    from attnviz.render.background import FAR, WAIT

    return [f"it has {WAIT} seconds to answer, over ssh {FAR}"]


def of_page():
    import json

    from attnviz.render.html.weights import COARSEST

    page = (ROOT / "docs" / "page.html").read_text("utf-8")
    values = json.loads(page.partition('id="document">')[2].partition("</script>")[0])
    (source,) = values["parts"][0]["sources"]
    assert 1 / COARSEST / 2 < 1 / 500
    return [
        f"all {len(source['places'])} heads of {values['madeBy']['model']}",
        f"The board: {len(source['places'])} small maps",
        "which is less than 1/500 of the largest weight of the head",
    ]


def of_formats():
    from attnviz.io.arrays import ALWAYS_ALLOWED, MAX_RATIO
    from attnviz.page import fitted, frames
    from attnviz.render.animation import MAX_PIXELS, MILLISECONDS
    from attnviz.render.pgf import MAX_CELLS

    assert (MAX_RATIO, MAX_PIXELS) == (100, 1000 * 10**6)
    return [
        f"{MAX_CELLS:,} at most",
        f"how long each is shown, {MILLISECONDS} by default",
        "at most a thousand million pixels in all",
        f"letters below {fitted.LEAST} points are refused",
        f"Frames have {frames.DPI:.0f} dots per inch unless",
        f"at most {ALWAYS_ALLOWED >> 20} MB of memory, or a hundred times its size",
    ]


def of_large():
    weights = Weights.__init__.__defaults__[0]
    numbers = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 2 * 32000 * 4096
    return [
        f"as float32 it would be {numbers * 4 / 1e9:.0f} GB",
        "layer 0 its queries and keys, layer 31 the 31 layers below it",
        "Sixteen maps of the attention of 32 tokens",
        f"at most {weights / 2**30:.0f} GB is kept",
    ]


def of_gallery():
    """The widths in scripts/draw_gallery.sh."""
    script = (ROOT / "scripts" / "draw_gallery.sh").read_text()
    widths = re.findall(r"^draw \w+ (\S+)", script, re.M)
    narrow, wide = widths[0], widths[-1]
    assert widths == [narrow] * (len(widths) - 5) + [wide] * 5
    return [f"at the width of a column ({narrow} inches; the last five at {wide})"]


def of_adding():
    files = [path.read_text() for path in (ROOT / "attnviz" / "families").glob("[a-z]*.py")]
    lines = [text.count("\n") for text in files if "_decoder" in text]
    assert sum(25 <= many <= 80 for many in lines) > 0.75 * len(lines)
    limit = re.search(r"share > (0\.\d+)", (ROOT / "scripts" / "make_reference.py").read_text())
    assert limit is not None
    return ["most decoders are 25 to 80 lines over", f"above {100 * float(limit[1]):.0f} % of uniform"]


def of_security():
    sys.path.insert(0, str(ROOT / "scripts"))
    from fuzzing import worker

    from attnviz import errors
    from attnviz.checkpoints import base, pickles, pytorch, zips
    from attnviz.files import untrusted
    from attnviz.inputs import images, pictures, sound, wav
    from attnviz.io import arrays, saved
    from attnviz.models.configs import MAX_CONFIG
    from attnviz.tokens import budget, chat_child, reading

    sys.path.remove(str(ROOT / "scripts"))
    mega, mebi = 10**6, 1 << 20
    minutes = sound.MAX_NUMBERS / (512 * 16_000 / 5) / 60  # wav2vec 2.0's first layer: 512 channels, a stride of 5
    return [
        f"with {chat_child.SECONDS} seconds and {chat_child.BYTES >> 30} GiB",
        f"one line of at most {errors.MOST_CHARACTERS:,} characters",
        f"{untrusted.MAX_JSON // mebi} MiB, {untrusted.MAX_CONTAINERS:,} lists and objects, {untrusted.MAX_VALUES:,} "
        f"values, {untrusted.MAX_DEPTH} levels, whole numbers of {untrusted.MAX_DIGITS} digits; a configuration "
        f"{MAX_CONFIG // mega} MB",
        f"the header {base.MAX_HEADER // mega} MB",
        f"the pickle {pickles.MAX_PICKLE // mebi} MiB, {pickles._MAX_STEPS:,} steps, and one list, dictionary or memo "
        f"entry per {pickles._BYTES_EACH} bytes, at most {pickles._MAX_MADE:,}; keys are texts or numbers below "
        f"2^{pickles._MAX_KEY.bit_length() - 1}",
        f"unpacks to {zips.ALWAYS_ALLOWED // mebi} MiB, or {zips.MAX_RATIO} times its packed size",
        f"float32: {arrays.ALWAYS_ALLOWED // mebi} MiB, or {arrays.MAX_RATIO} times the file; labels of "
        f"{saved.MAX_LABEL} characters (longer ones are cut), layers below {saved.MAX_LAYERS:,}, heads below "
        f"{saved.MAX_HEADS:,}; meta of {saved.MAX_META // mebi} Mi characters",
        f"of a `.pt` file {pytorch._MAX_LISTED:,} tensors",
        f"tokenizer.json {reading._LIMITS['tokenizer.json'] // mebi} MiB, SentencePiece "
        f"{reading._LIMITS['.model'] // mebi} MiB; a normaliser may make a text {budget.GROWTH} times as long, "
        f"and write "
        f"{budget.MAX_CONTENT} characters at a time; {budget.MAX_STEPS} steps; a template {budget.MAX_TEMPLATE} parts; "
        f"words of {budget.MAX_WORD:,} characters",
        f"{pictures.MAX_PIXELS // mega} million pixels; beyond {pictures.ALWAYS_ALLOWED // mebi} million, "
        f"{pictures.PIXELS_A_BYTE} for each byte of the file; the model sees {images.MAX_SEEN // mebi} million",
        f"{wav.MAX_SAMPLES / mega:.0f} million samples, and for a model of raw sound at most "
        f"2^{sound.MAX_NUMBERS.bit_length() - 1} outputs of a convolution ({minutes:.1f} minutes for published models)",
        f"{sound.MAX_BANDS} mel filters; {sound.MAX_RATE:,} samples a second",
        f"| texts and lists of labels | {untrusted.MAX_TEXT // mebi} MiB |",
        f"with {worker.SECONDS:.0f} seconds and {worker.MEGABYTES // 1024} GiB more memory than it starts with",
    ]


def of_figures():
    import tomllib

    entries = tomllib.loads((ROOT / "sample_inputs" / "paper.toml").read_text(encoding="utf-8"))["figure"]
    assert (
        entries[1]
        == tomllib.loads(
            re.findall(r"(?ms)```toml\n(.*?)```", (ROOT / "docs" / "figures.md").read_text(encoding="utf-8"))[0]
        )["figure"][0]
    )
    return [f"`{len(entries)} drawn, 0 up to date, 0 failed`"]


def of_series():
    from inspect import signature

    from attnviz.analyses.series import SPAN
    from attnviz.corpora.series import KEPT, TIMES
    from attnviz.measures.distance import MOST
    from attnviz.models.repeated import repeated_tokens
    from attnviz.models.source import SAMPLE_WEIGHTS

    length = signature(repeated_tokens).parameters["length"].default
    return [
        f"where they span a factor of {SPAN} or",
        f"takes {length} random tokens twice",
        f"at most {MOST:.2f}.",
        f"more than {TIMES * SAMPLE_WEIGHTS // 10**6} million weights",
        f"{4 * KEPT >> 20} MB of the last one's maps",
    ]


def of_cluster():
    """Costs that follow from the rates that were measured."""
    text = prose("docs/cluster.md")
    row = r"\| {} \| ([\d.,]+)(?: MB)? \| ([\d.,]+)(?: MB)? \|"
    rates, sizes, sums = (
        [float(each.replace(",", "")) for each in re.findall(row.format(name), text)[0]]
        for name in ("texts a CPU second", "bytes on disk a text", "sums a part")
    )
    seconds = [1e6 / rate for rate in rates]
    return [
        "| CPU hours for a million texts | {:.1f} | {:.1f} |".format(*(each / 3600 for each in seconds)),
        "| minutes on 100 cores | {:.1f} | {:.1f} |".format(*(each / 6000 for each in seconds)),
        "| rows of a million texts | {:.1f} GB | {:.1f} GB |".format(*(each / 1000 for each in sizes)),
        "| sums of a million texts | {:.1f} GB | {:.2f} GB |".format(*sums),
        "all-MiniLM-L6-v2, 72 heads",
    ]


def of_corpora():
    from attnviz.corpora import job, links, measures, places, summary, texts

    share, nats, size = summary.SHARE, summary.NATS, summary.SIZE
    assert (1 / share.step, 1 / nats.step, size.step) == (pytest.approx(240), pytest.approx(20), np.inf)
    assert places.TOKENS == 10 and list(places.EDGES[[0, 1, -1]]) == [0.0, places.CELLS**-2.0, 1.0]
    return [
        f"parts of {job.TEXTS:,} (`--part-texts`), or of fewer where these have more than {job.BYTES >> 20} MiB",
        f"longer than {texts.LONGEST:,} bytes",
        f"more than {links.MOST_TOKENS:,} tokens have none",
        f"counted in {summary.CELLS} cells, each at most {summary.GROWTH * 100:.0f} % of its value wide, of shares at "
        "most 1/240, of entropy 1/20 nat",
        f"less than a cell: {summary.GROWTH * 100:.0f} %, or {share.low:.5f} of a share, {nats.low:.5f} nat and "
        f"{size.low:.3f} tokens",
        f"more than {measures.MOST_WEIGHTS // 10**6} million weights in all heads",
        f"summed in {places.CELLS} cells, with edges (k/{places.CELLS})², for each place",
    ]


OF = {
    "docs/cluster.md": of_cluster,
    "docs/steps.md": of_steps,
    "docs/tiny.md": of_tiny,
    "docs/mechanisms.md": of_mechanisms,
    "docs/inputs.md": of_inputs,
    "docs/models.md": of_models,
    "docs/tokenizers.md": of_tokenizers,
    "docs/architecture.md": of_architecture,
    "docs/terminal.md": of_terminal,
    "docs/page.md": of_page,
    "docs/large.md": of_large,
    "docs/formats.md": of_formats,
    "docs/gallery.md": of_gallery,
    "docs/figures.md": of_figures,
    "docs/series.md": of_series,
    "docs/corpora.md": of_corpora,
    "docs/adding-a-family.md": of_adding,
    "docs/adding-an-analysis.md": list,  # no number is there
    "SECURITY.md": of_security,
}


@pytest.mark.parametrize("page", OF)
def test_a_page_says_what_is_so_and_no_other_number(page):
    text, said = prose(page), OF[page]()
    assert [sentence for sentence in said if sentence not in text] == []
    patterns = [pattern for pattern, _ in UNREAD[page]]
    assert [pattern for pattern in patterns if not re.search(pattern, text)] == []
    assert left_over(text, said, patterns) == []


def test_every_page_is_here():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"commands.md"}
    assert pages == {Path(page).name for page in OF} - {"SECURITY.md"}


def test_log_mel_spectra_are_as_near_as_said(tmp_path):
    from helpers.sound_files import config_for, wav

    from attnviz.inputs.sound import read_sound

    expected = np.load(INPUTS / "expected.npz")
    (tmp_path / "a.wav").write_bytes(wav(expected["wave/4800"].tobytes(), kind=3, bits=32))
    shutil.copy(INPUTS / "whisper.v4.json", tmp_path / "preprocessor_config.json")
    sound = read_sound(tmp_path / "a.wav", config_for("whisper"), tmp_path).input_features[:, ::3]
    (said,) = re.findall(r"`WhisperFeatureExtractor` to (\de-\d)", prose("docs/inputs.md"))
    assert np.abs(sound - expected["whisper/4800"]).max() < float(said)


def test_sizes_and_counts_of_the_readme_and_the_benchmarks(minilm):
    """The timings of benchmarks/README.md are records of its runs; README.md quotes them exactly."""
    from attnviz.variants import MECHANISMS

    readme, records = prose("README.md"), prose("benchmarks/README.md")
    size = TINY.stat().st_size
    assert f"`tiny.gguf` has {size:,} bytes," in records
    assert f"`tiny` is {size / 1e6:.0f} MB" in readme
    package = sum(file.stat().st_size for file in minilm.rglob("*") if file.is_file())
    assert f"as published, {round(package / 1e6, -1):.0f} MB" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(MECHANISMS)} kinds as their papers define them" in readme
    assert f"torch eager needs {30 * 9 * 8192**2 * 4 / 1e9:.0f} GB" in records
    quoted = {
        r"\| attnviz \| (\S+) \| \S+ \| (\S+) \|": "all-MiniLM-L6-v2 in {:.1f} s and {:.0f} MiB against",
        r"\| transformers \+ matplotlib \| (\S+) \| \S+ \| (\S+) \|": "against {:.1f} s and {:.0f} MiB;",
        r"\| attnviz, 30 layers \| (\S+) \| \S+ \| \S+": "GGUF file in {:.1f} s against",
        r"\| transformers \| (\S+) \| \S+ \| 1180": "against {:.0f} s. All 270 heads",
        r"\| all 270 heads in one PNG, pooled to 256 x 256 \| (\S+) \| (\S+)": "one picture after {:.0f} s in {:.0f}",
    }
    for pattern, sentence in quoted.items():
        match = re.search(pattern, records)
        assert match is not None, pattern
        assert sentence.format(*map(float, match.groups())) in readme
