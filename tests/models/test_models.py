"""`attnviz models`: every family that is known, as its own file describes it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from attnviz.cli import main
from attnviz.families import family, known, model_types
from attnviz.families._listing import Description, describe


def rows(capsys):
    assert main(["models", "--json"]) == 0
    return {row["model_type"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_known_model_type_is_listed(capsys):
    assert list(rows(capsys)) == list(model_types())


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [
        ("bert", ("bert", ("text",), ("self",), ("learned",), ("all",))),
        ("xlm_roberta", ("roberta", ("text",), ("self",), ("learned",), ("all",))),
        ("gemma2", ("gemma2", ("text",), ("self",), ("rotary",), ("causal", "some-windows"))),
        ("longformer", ("longformer", ("text",), ("self",), ("learned",), ("all", "window", "global-tokens"))),
        ("big_bird", ("big_bird", ("text",), ("self",), ("learned",), ("all", "blocks"))),
        ("t5", ("t5", ("text",), ("encoder", "decoder", "cross"), ("buckets",), ("all", "causal"))),
        ("whisper", ("whisper", ("sound",), ("encoder", "decoder", "cross"), ("learned",), ("all", "causal"))),
        ("wav2vec2", ("wav2vec2", ("sound",), ("self",), ("convolution",), ("all",))),
        ("clip", ("clip", ("text", "image"), ("self",), ("learned",), ("causal", "all"))),
        ("deberta_v2", ("deberta_v2", ("text",), ("self",), ("disentangled",), ("all",))),
        ("xlnet", ("xlnet", ("text",), ("self",), ("transformer-xl",), ("all",))),
        ("bloom", ("bloom", ("text",), ("self",), ("alibi",), ("causal",))),
        ("pegasus", ("pegasus", ("text",), ("encoder", "decoder", "cross"), ("sinusoidal",), ("all", "causal"))),
        ("esm", ("esm", ("text",), ("self",), ("rotary",), ("all",))),
    ],
)
def test_what_is_said_of_some(model_type, expected):
    found = describe(model_type)
    assert (found.family, found.reads, found.streams, found.positions, found.mask) == expected


def test_titles_are_the_first_lines_of_the_files():
    for name in known():
        found = describe(name)
        assert isinstance(found, Description)
        assert found.title == family(name).__doc__.splitlines()[0]
        assert found.title.endswith(".")


def test_piped_columns_can_be_cut(capsys):
    assert main(["models"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["model_type", "reads", "streams", "positions", "mask"]
    gpt2 = next(line for line in lines if line.startswith("gpt2 "))
    assert gpt2.split()[:5] == ["gpt2", "text", "self", "learned", "causal"]
    assert gpt2[header.index("what it is") :] == describe("gpt2").title


def test_the_list_needs_no_numbers():
    code = (
        "import sys; from attnviz.cli import main; status = main(['models'])\n"
        "sys.stderr.write(f\"{status} {sorted({'numpy', 'matplotlib', 'tokenizers'} & set(sys.modules))}\")"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "0 []"
