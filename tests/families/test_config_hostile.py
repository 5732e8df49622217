"""Configurations that lie or contradict themselves: each gives a one-line error, quickly and with little memory."""

from __future__ import annotations

import json
import math
import re
import tracemalloc
import warnings

import numpy as np
import pytest
from helpers.effort import less, spent
from helpers.paths import REFERENCE

import attnviz
from attnviz.cli import main
from attnviz.engine.spec import EncoderDecoder, Spec, Towers
from attnviz.errors import AttnvizError, ConfigError
from attnviz.families import family, known
from attnviz.families._config import Config

CASES = sorted(path.name for path in REFERENCE.iterdir() if path.is_dir())
MIB = 1 << 20


@pytest.fixture
def folder(tmp_path):
    """A reference case's weights under another configuration: changes by key, or text that is not JSON at all."""

    def make(case="bert", text=None, **changes):
        place = tmp_path / case
        place.mkdir(exist_ok=True)
        (place / "config.json").unlink(missing_ok=True)
        if not (place / "model.safetensors").exists():
            (place / "model.safetensors").symlink_to(REFERENCE / case / "model.safetensors")
        data = json.loads((REFERENCE / case / "config.json").read_text()) | changes
        if text is None:
            text = json.dumps({key: value for key, value in data.items() if value is not KeyError})
        (place / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    return make


IDS = list(range(10, 23))


def fault(place):
    """The message of the error for this folder, which must come quickly and without much memory."""
    tracemalloc.start()
    start = spent()
    try:
        with pytest.raises(AttnvizError) as caught:
            attnviz.load(place).attend(ids=IDS)
        took, peak = spent() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert less(took, 200)
    assert peak < 16 * MIB
    assert "\n" not in message
    assert len(message) < 400
    return message


# ---- sizes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 10**12}, "num_hidden_layers must be a whole number from 1 to 10000; got 1000000000000"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be a whole number from 1 to 10000; got 0"),
        ({"num_hidden_layers": -3}, "num_hidden_layers must be a whole number from 1 to 10000; got -3"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers must be a whole number from 1 to 10000; got 2.0"),
        ({"num_hidden_layers": "2"}, "num_hidden_layers must be a whole number from 1 to 10000; got '2'"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be a whole number from 1 to 10000; got True"),
        ({"num_hidden_layers": [2]}, "num_hidden_layers must be a whole number from 1 to 10000; got [2]"),
        ({"num_attention_heads": 10**9}, "num_attention_heads must be a whole number from 1 to 4096; got 1000000000"),
        ({"hidden_size": -32}, "hidden_size must be a whole number from 1 to 16777216; got -32"),
        ({"vocab_size": 10**40}, "vocab_size must be a whole number from 1 to 16777216; got 1000000"),
        ({"layer_norm_eps": math.nan}, "layer_norm_eps must be a number; got nan"),
        ({"layer_norm_eps": math.inf}, "layer_norm_eps must be a number; got inf"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps must be a number; got '1e-12'"),
        ({"layer_norm_eps": -1}, "layer_norm_eps must be from 0 to 1e+12; got -1"),
        ({"is_decoder": "no"}, "is_decoder must be true or false; got 'no'"),
        ({"hidden_act": {"a": 1}}, "hidden_act must be one of "),
        ({"hidden_act": "gelu2"}, "hidden_act must be one of "),
        ({"num_attention_heads": 5}, "hidden_size 32 must be a multiple of num_attention_heads 5"),
    ],
)
def test_values_that_cannot_be(folder, changes, message):
    got = fault(folder(**changes))
    assert got.startswith(f"config.json: {message}")
    assert got.endswith(message) or message.endswith(("one of ", "1000000"))


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    [
        ("llama", {"num_key_value_heads": 3}, "num_attention_heads 4 must be a multiple of num_key_value_heads 3"),
        ("qwen2", {"layer_types": ["full_attention"]}, "layer_types must have 2 entries, one per layer; got 1"),
        ("qwen2", {"layer_types": ["full", "full"]}, "each of layer_types must be one of"),
        ("gpt2", {"hidden_size": 64}, "n_embd 32 and hidden_size 64 contradict each other"),
        ("llama", {"rope_parameters": 7}, "rope_parameters must be an object; got 7"),
        ("llama", {"rope_parameters": {"rope_type": "spiral"}}, "rope_parameters: rope_type must be one of"),
        ("llama", {"rope_parameters": {"rope_type": "linear"}}, "rope_parameters: factor is missing"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "default", "dynamic": 1}},
            "attnviz does not know what the key 'rope_parameters.dynamic' does to attention",
        ),
        (
            "stablelm",
            {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "partial_rotary_factor": 0.7}},
            "rope_parameters: yarn scaling needs an even number of rotary dimensions; got 5",
        ),
        (
            "stablelm",
            {
                "rope_parameters": {
                    "rope_type": "longrope",
                    "factor": 2.0,
                    "partial_rotary_factor": 0.7,
                    "short_factor": [1.0, 2.0],
                    "long_factor": [1.0, 2.0],
                }
            },
            "rope_parameters: short_factor must be a list of 3 numbers other than 0",
        ),
        ("longformer", {"attention_window": [8, 7]}, "attention_window must be even, 2 or more; got [8, 7]"),
        ("gpt_neo", {"attention_types": [[["global"], 10**12]], "num_layers": 10**12}, "num_layers must be a whole"),
        (
            "gpt_neo",
            {"attention_types": [[[[]], 9]], "attention_layers": None},
            "attention_types must name global or local for 2 layers",
        ),
        ("albert", {"inner_group_num": 100, "num_hidden_layers": 9999}, "num_hidden_layers 9999 times inner_group_num"),
        ("deberta_v2", {"pos_att_type": 7}, "pos_att_type may name c2p and p2c; got 7"),
        ("deberta_v2", {"position_buckets": 10**6}, "position_buckets 1000000 do not fit"),
        ("mixtral", {"num_experts_per_tok": 9}, "num_experts_per_tok must be a whole number from 1 to 4; got 9"),
    ],
)
def test_values_that_contradict_each_other(folder, case, changes, message):
    assert message in fault(folder(case, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_hidden_layers": 9999},
            "has no tensor encoder.layer.9998.attention.self.query.weight (layers.9998.q.weight)",
        ),
        ({"hidden_size": 64}, "embeddings.word_embeddings.weight (embed.tokens) must be 67 x 64, it is 67 x 32"),
        ({"hidden_size": 1 << 24}, "(embed.tokens) must be 67 x 16777216, it is 67 x 32"),
        ({"vocab_size": 1 << 24}, "(embed.tokens) must be 16777216 x 32, it is 67 x 32"),
        ({"max_position_embeddings": 1 << 24}, "(embed.positions) must be 16777216 x 32, it is 64 x 32"),
        ({"intermediate_size": 1 << 24}, "(layers.0.up.weight) must be 16777216 x 32, it is 64 x 32"),
        ({"num_attention_heads": 4096, "hidden_size": 4096}, "(embed.tokens) must be 67 x 4096, it is 67 x 32"),
    ],
)
def test_weights_that_do_not_fit(folder, changes, message):
    got = fault(folder(**changes))
    assert got.startswith("model.safetensors")
    assert message in got


def test_another_familys_weights(folder):
    got = fault(folder("gpt2", text=(REFERENCE / "bert" / "config.json").read_text()))
    assert "has no tensor" in got
    assert "embeddings.word_embeddings.weight (embed.tokens)" in got or "(layers.1.q.weight)" in got


# ---- the file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1, 2]", "must hold an object; got list"),
        ("null", "must hold an object; got NoneType"),
        ("[" * 100_000 + "]" * 100_000, "is nested too deeply"),
        ('{"model_type": "bert", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "is nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "is nested too deeply"),
        ('{"hidden_size": ' + "9" * 5000 + "}", "is not JSON (a number of 5,000 digits"),
        (b'{"model_type": "\xff\xfe"}', "is not JSON"),
        ('{"model_type": "bert"} trailing', "is not JSON (Extra data"),
    ],
)
def test_files_that_are_no_configuration(folder, text, message):
    got = fault(folder(text=text))
    assert re.search(r"config\.json (is|must)", got), got
    assert message in got


def test_a_file_that_is_too_long_is_not_read(folder):
    place = folder()
    with (place / "config.json").open("r+b") as file:
        file.truncate(1 << 34)  # takes no bytes on the disk, but would fill the memory if it were read
    assert "is too large to be a configuration: 17,179,869,184 bytes" in fault(place)


def test_numbers_beyond_floats_are_infinite(folder):
    text = (
        (REFERENCE / "bert" / "config.json").read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e999')
    )
    assert "layer_norm_eps must be a number; got inf" in fault(folder(text=text))


def test_what_is_quoted_is_cut(folder):
    assert len(fault(folder(hidden_act="x" * 1_000_000))) < 400
    assert len(fault(folder(hidden_size=list(range(100_000))))) < 400
    deep = json.loads("[" * 300 + "]" * 300)
    assert "hidden_size must be a whole number" in fault(folder(hidden_size=deep))
    assert len(fault(folder(model_type="b" * 1_000_000))) < 400


# ---- model_type


@pytest.mark.parametrize("value", [KeyError, None, 7, ["bert"], {}])
def test_no_model_type(folder, value, capsys):
    assert main(["inspect", str(folder(model_type=value))]) == 1
    assert capsys.readouterr().err == (
        "error: config.json has no model_type\nhint: it says which family the model is of, such as bert\n"
    )


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("berrt", "the nearest known: bert"),
        ("lama", "the nearest known: llama"),
        ("gpt-neo-x", "the nearest known: gpt_neox, gpt_neo"),
        *((value, f"known: {', '.join(sorted(known())[:3])}, ") for value in ("../../etc/passwd", "_config", "zzzz")),
        # A version or a variant leads to families with the same name, a misspelling to the name that was meant,
        ("llama4_text", "the nearest known: llama\n"),
        ("nemotron_h", "the nearest known: nemotron\n"),
        ("llmaa", "the nearest known: llama\n"),
        ("distilbretx", "the nearest known: distilbert\n"),
        # and another model's name to neither: mbart and llama have nothing to do with Mamba.
        *((value, f"known: {sorted(known())[0]}, ") for value in ("mamba2", "jamba", "mamba", "zamba", "rwkv")),
        *((value, f"known: {sorted(known())[0]}, ") for value in ("blip", "flava", "internlm2", "x", "longt5")),
    ],
)
def test_an_unknown_model_type_names_the_nearest(folder, value, hint, capsys):
    assert main(["inspect", str(folder(model_type=value))]) == 1
    error, said = capsys.readouterr().err.splitlines()
    assert error == f"error: model_type {value!r} is not a family that attnviz knows"
    assert f"{said}\n".startswith(f"hint: {hint}")


# ---- unknown keys

OWN = ["TwistedBertModel"]  # an architecture with its own code, which may read any key


def test_an_unknown_key_is_refused_and_says_how_to_go_on(folder, capsys):
    assert main(["table", "--ids", "10,11,12", "-m", str(folder(attention_twist=0.5, architectures=OWN))]) == 1
    assert capsys.readouterr().err == (
        "error: config.json: only the checkpoint's own code says what the key 'attention_twist' does to attention\n"
        "hint: if it does nothing, ignore it with --ignore-key attention_twist\n"
    )


def test_unknown_keys_are_named_all_at_once(folder, capsys):
    assert (
        main(["table", "--ids", "10,11,12", "-m", str(folder(attention_twist=0.5, other_twist=1, architectures=OWN))])
        == 1
    )
    assert capsys.readouterr().err == (
        "error: config.json: only the checkpoint's own code says what the keys "
        "'attention_twist', 'other_twist' do to attention\n"
        "hint: if they do nothing, ignore them with --ignore-key attention_twist --ignore-key other_twist\n"
    )


def test_very_many_unknown_keys_are_one_line(folder):
    with pytest.raises(ConfigError) as caught:
        attnviz.load(folder(architectures=OWN, **{f"twist_{i}": i for i in range(1000)}))
    assert str(caught.value).endswith("'twist_6', 'twist_7' and 992 more do to attention")
    assert caught.value.hint.endswith(" --ignore-key twist_7 ...")


def test_every_unknown_key_must_be_named(folder, capsys):
    place = str(folder(attention_twist=0.5, other_twist=1, architectures=OWN))
    words = ["table", "--ids", "10,11,12", "-m", place]
    assert main([*words, "--ignore-key", "attention_twist"]) == 1
    assert "'other_twist'" in capsys.readouterr().err
    assert main([*words, "--ignore-key", "attention_twist", "--ignore-key", "other_twist"]) == 0


def test_longrope_on_an_odd_number_of_dimensions(folder):
    """Five dimensions rotate as three pairs, the last with an empty half: one factor for each of the three."""
    rope = {"rope_type": "longrope", "factor": 2.0, "partial_rotary_factor": 0.7}
    tables = {"short_factor": [1.0, 2.0, 3.0], "long_factor": [1.0, 2.0, 4.0]}
    attention = attnviz.load(folder("stablelm", rope_parameters=rope | tables)).attend(ids=IDS)
    np.testing.assert_allclose(attention.weights.sum(-1), 1, atol=1e-5)


def test_a_null_key_and_a_private_one_are_passed_over(folder):
    attnviz.load(folder(attention_twist=None)).attend(ids=IDS)
    attnviz.load(folder(unsloth_version="1", _attn_implementation_autoset=True)).attend(ids=IDS)


def test_what_was_passed_over_is_said_wherever_the_numbers_go(folder, tmp_path, capsys):
    place = folder(attention_twist=0.5, architectures=OWN)
    attention = attnviz.load(place, ignore_keys=["attention_twist"]).attend(ids=IDS)
    assert attention.meta["ignored_keys"] == ["attention_twist"]
    np.testing.assert_array_equal(attention.weights, attnviz.load(REFERENCE / "bert").attend(ids=IDS).weights)
    words = ["--ids", "10,11,12", "-m", str(place), "--ignore-key", "attention_twist"]
    assert main(["heatmap", *words, "-o", str(tmp_path / "a.svg")]) == 0
    assert "ignored configuration key: attention_twist" in (tmp_path / "a.svg").read_text()
    assert main(["heatmap", *words, "--bare", "-o", str(tmp_path / "b.svg")]) == 0
    assert "ignored configuration key: attention_twist" in capsys.readouterr().err
    assert main(["export", *words, "-o", str(tmp_path / "a.npz")]) == 0
    assert attnviz.open(tmp_path / "a.npz").meta["ignored_keys"] == ["attention_twist"]


def test_a_key_cannot_steer_the_terminal(folder, capsys):
    assert main(["inspect", str(folder(architectures=OWN, **{"\x1b[2Jx\n\ny\u202e": 1}))]) == 1
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert len(err.splitlines()) == 2


# ---- every family


HOSTILE = [-1, 0, 10**12, 10**40, 1.5, math.nan, math.inf, True, "8", [], [[]], [None], {}, {"a": 1}, "x" * 10_000]


@pytest.mark.parametrize("case", CASES)
def test_any_value_of_any_key_ends_in_a_spec_or_one_line(case):
    data = json.loads((REFERENCE / case / "config.json").read_text())
    module = family(data["model_type"])
    read = Config(data)
    module.spec(read)
    start = spent()
    refused = 0
    changes = [{key: value} for key in sorted(read._read) for value in HOSTILE]
    for part in ("text_config", "encoder", "decoder"):
        inner = data.get(part) or {}
        changes += [{part: {**inner, key: value}} for key in sorted(inner) for value in HOSTILE]
    for change in changes:
        config = Config({**data, **change})
        try:
            spec = module.spec(config)
            getattr(module, "names", lambda _: {})(config)
        except ConfigError as error:
            refused += 1
            message = str(error)
            assert message.startswith("config.json: ")
            assert "\n" not in message
            assert len(message) < 400, message
        else:
            assert isinstance(spec, (Spec, EncoderDecoder, Towers))
    assert refused > 50
    assert less(spent() - start, 1000)


@pytest.mark.parametrize("case", ["deberta_v2", "falcon", "gemma3_text", "gpt_oss", "longformer", "xlnet"])
def test_what_a_spec_accepts_the_engine_can_run_or_refuse(case, folder):
    """The largest and most unusual values that are accepted as numbers still give attention."""
    data = json.loads((REFERENCE / case / "config.json").read_text())
    read = Config(data)
    family(data["model_type"]).spec(read)
    for key in sorted(read._read):
        for value in (1, 3, 1 << 24, 1e12, 1e-6, [1 << 20, 1 << 20]):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = attnviz.load(folder(case, **{key: value})).attend(ids=IDS)
                except AttnvizError as error:
                    assert len(str(error)) < 400
                else:
                    assert found.weights.shape[2:] == (13, 13)
