"""describe() and `attnviz describe`: what attnviz would make of a model, from its configuration alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.cli import main
from attnviz.errors import AttnvizError, ConfigError, ModelError

CASES = sorted(path.name for path in REFERENCE.iterdir() if path.is_dir())
BERT_KEYS = {"model_type": "bert", "num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 8, "vocab_size": 99}


def test_the_public_name():
    assert "describe" in attnviz.__all__
    assert attnviz.describe.__module__ == "attnviz.models.describe"


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_load_makes_of_the_same_folder(case):
    said, model = attnviz.describe(REFERENCE / case), attnviz.load(REFERENCE / case)
    assert said["streams"] == list(model.streams)
    assert said["model"] == model.name
    for stream in model.streams:
        stacks = said["stacks"]
        one = stacks.get("decoder" if stream == "cross" else stream) or next(iter(stacks.values()))
        assert (one["layers"], one["heads"]) == model.size(stream)
        assert (one["d_model"], one["d_head"]) == (model.stack(stream).d_model, model.stack(stream).d_head)


def test_everything_about_a_dict():
    assert attnviz.describe(BERT_KEYS | {"nonsense": 1, "is_decoder": True}) == {
        "model": "",
        "model_type": "bert",
        "family": "bert",
        "title": "BERT (Devlin 2019): post-norm encoder, learned positions, token types.",
        "reads": ["text"],
        "streams": ["self"],
        "layers": 3,
        "heads": 2,
        "d_model": 8,
        "positions": ["learned"],
        "masks": ["causal"],
        "ignored": ["nonsense"],
        "quantised": None,
        "stacks": {
            "self": {
                "layers": 3,
                "heads": 2,
                "kv_heads": 2,
                "d_head": 4,
                "d_model": 8,
                "d_mlp": 3072,
                "vocab": 99,
                "longest": 512,
            }
        },
    }


def test_two_stacks_have_numbers_each():
    said = attnviz.describe({"model_type": "bart", "encoder_layers": 6, "decoder_layers": 3, "d_model": 64})
    assert said["layers"] == {"encoder": 6, "decoder": 3}
    assert said["streams"] == ["encoder", "decoder", "cross"]
    said = attnviz.describe({"model_type": "clip", "text_config": {"num_hidden_layers": 5}})
    assert (said["layers"], said["reads"]) == ({"text": 5, "image": 12}, ["text", "image"])
    said = attnviz.describe({"model_type": "t5", "architectures": ["T5EncoderModel"], "num_layers": 4})
    assert (said["layers"], said["streams"], list(said["stacks"])) == (4, ["encoder"], ["encoder"])


def test_quantised_weights_are_named():
    said = attnviz.describe({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}})
    assert said["quantised"] == "mxfp4"


def test_paths(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(BERT_KEYS))
    (tmp_path / "config.json").write_text(json.dumps(BERT_KEYS | {"num_hidden_layers": 5}))
    assert attnviz.describe(tmp_path / "mine.json")["layers"] == 3
    assert attnviz.describe(tmp_path / "mine.json")["model"] == "mine"
    assert attnviz.describe(str(tmp_path / "config.json"))["layers"] == 5
    assert attnviz.describe(tmp_path)["model"] == tmp_path.name
    (tmp_path / "model.safetensors").write_bytes(b"damaged")  # it is not opened
    assert attnviz.describe(tmp_path / "model.safetensors")["layers"] == 5


def test_a_gguf_file():
    said = attnviz.describe("tiny")
    assert (said["family"], said["layers"], said["heads"], said["d_model"]) == ("bert", 6, 8, 160)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "config.json has no model_type"),
        ({"model_type": "owl"}, "model_type 'owl' is not a family that attnviz knows"),
        (BERT_KEYS | {"pruned_heads": {"0": [1]}}, "config.json: pruned_heads names heads that were cut out"),
        (BERT_KEYS | {"hidden_size": 9}, "config.json: hidden_size 9 must be a multiple of num_attention_heads 2"),
        (BERT_KEYS | {"quantization_config": {"quant_method": "gptq"}}, "config.json: weights quantised by gptq"),
        ({"model_type": "phi3", "mlp_bias": True}, "config.json: mlp_bias True is not handled"),
        ({"model_type": "falcon", "ff_factor": 3}, "config.json: ff_factor 3 is not handled, nor any other than 4"),
        (
            {"model_type": "cohere2", "_sliding_window_pattern": 3},
            "config.json: _sliding_window_pattern 3 is not handled, nor any other than 4",
        ),
    ],
)
def test_what_cannot_be_drawn(config, message):
    with pytest.raises(ConfigError) as caught:
        attnviz.describe(config)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_key_that_nobody_knows_can_be_ignored():
    said = attnviz.describe(BERT_KEYS | {"pruned_heads": {"0": [1]}, "extra": 1}, ignore_keys=["pruned_heads"])
    assert said["ignored"] == ["extra", "pruned_heads"]


def test_what_has_no_configuration(tmp_path):
    with pytest.raises(ModelError, match="seeded is made of options"):
        attnviz.describe("seeded")
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(ModelError, match=r"a\.npz has no configuration"):
        attnviz.describe(tmp_path / "a.npz")


# ---- the command


def test_the_command(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(BERT_KEYS | {"nonsense": 1}))
    assert main(["describe", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"model         {tmp_path.name}\n"
        "model_type    bert\n"
        "family        bert: BERT (Devlin 2019): post-norm encoder, learned positions, token types.\n"
        "reads         text\n"
        "streams       self\n"
        "positions     learned\n"
        "masks         all\n"
        "attention     3 layers x 2 heads of 4; width 8\n"
        "ignored keys  nonsense\n"
    )
    assert main(["describe", str(tmp_path / "config.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [attnviz.describe(tmp_path)]


def test_the_command_says_in_one_line_why_not(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(BERT_KEYS | {"pruned_heads": {"0": [1]}}))
    assert main(["describe", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error: config.json: pruned_heads names heads that were cut out, which is not read\n"
        "hint: use the model before pruning\n"
    )
    assert main(["describe", str(tmp_path), "--ignore-key", "pruned_heads"]) == 0
    assert capsys.readouterr().out.endswith("ignored keys  pruned_heads\n")


def test_no_weights_are_read_nor_what_reads_them(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(BERT_KEYS))
    run = f"attnviz.cli.main(['describe', {str(tmp_path)!r}])"
    code = f"import sys, attnviz.cli; {run}; sys.stderr.write(str(sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("model  ")
    for heavy in ("matplotlib", "tokenizers", "huggingface_hub", "attnviz.engine.forward"):
        assert f"'{heavy}'" not in done.stderr


@pytest.mark.usefixtures("home")
def test_of_a_model_on_the_hub_the_configuration_alone_is_fetched(server, capsys):
    assert main(["describe", "org/tiny"]) == 0
    assert capsys.readouterr().out.startswith("model         org/tiny\n")
    assert server.fetched() == ["config.json"]
    assert attnviz.describe("org/tiny", offline=True)["layers"] == 2
    with pytest.raises(AttnvizError, match="not in the Hub's cache"):
        attnviz.describe("org/other", offline=True)
