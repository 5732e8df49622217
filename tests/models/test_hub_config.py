"""A configuration fetched alone, and which files of a repository are fetched."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.hub_server import BERT, COMMIT, Hub, complaint, lay_out, serving

import attnviz
from attnviz.errors import ConfigError, ModelError
from attnviz.models import hub
from attnviz.models.hub.files import check_listed, check_shards, small_files, weights


def refused(name, **options):
    with pytest.raises(ModelError) as caught:
        hub.config_of(name, **options)
    assert "\n" not in str(caught.value) + caught.value.hint
    return str(caught.value), caught.value.hint


def test_a_configuration_is_fetched_alone_and_once(server, home):
    path = hub.config_of("org/tiny")
    assert path.read_bytes() == (BERT / "config.json").read_bytes() and path.parent.name == COMMIT
    assert server.fetched() == ["config.json"] and len(server.log) == 2
    server.log.clear()
    assert hub.config_of("org/tiny") == path == hub.config_of("org/tiny", offline=True)
    assert server.log == []
    assert hub.cached("org/tiny") is None
    assert complaint("org/tiny", offline=True)[0].startswith("org/tiny is only partly in the Hub's cache: it lacks its")
    assert attnviz.load("org/tiny").tokens("w7").ids == (7,)


def test_a_configuration_of_a_revision(server):
    assert hub.config_of("org/tiny", "v2").parent.name == COMMIT
    assert hub.config_of("org/tiny", COMMIT).parent.name == COMMIT
    assert refused("org/tiny", revision="v9")[0] == "org/tiny has no revision 'v9'"


def test_a_configuration_of_what_is_no_model(server):
    server.files = {"a.Q4_K_M.gguf": b"GGUF", "a.Q8_0.gguf": b"GGUF", "README.md": b""}
    message, hint = refused("org/tiny")
    assert message == "org/tiny on the Hub has no config.json and holds 2 GGUF files"
    assert hint == "it has a.Q4_K_M.gguf: download that file and give its path"
    server.files = {"adapter_config.json": b"{}"}
    assert refused("org/tiny")[0] == "org/tiny on the Hub is an adapter, not a model"
    server.files = {"README.md": b""}
    assert refused("org/tiny") == ("org/tiny on the Hub has no config.json", "")
    assert refused("org/other")[0] == "the Hub has no model org/other, or it is private"


def test_a_configuration_offline(server, files, home):
    assert refused("org/tiny", offline=True)[0].startswith("org/tiny is not in the Hub's cache; the network is not")
    assert server.log == []
    snapshot = lay_out(home / "hub", {"config.json": files["config.json"]})
    assert hub.config_of("org/tiny", offline=True) == snapshot / "config.json"


def test_describing_costs_one_small_file(server):
    found = attnviz.describe("org/tiny")
    assert (found["model"], found["family"], found["heads"]) == ("org/tiny", "bert", 4)
    assert server.fetched() == ["config.json"]
    server.log.clear()
    assert attnviz.describe("org/tiny@v2", quiet=True)["layers"] == 2
    assert server.fetched() == []  # it is the same commit


def test_describing_a_repository_of_gguf_files(server):
    server.files = {"a.gguf": b"GGUF"}
    with pytest.raises(ModelError, match=r"org/tiny on the Hub has no config\.json and holds 1 GGUF file"):
        attnviz.describe("org/tiny")


LARGE = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
TORCH = [f"pytorch_model-{i:05}-of-00002.bin" for i in (1, 2)]
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (["model.safetensors", "pytorch_model.bin", "onnx/model.onnx"], "model.safetensors"),
        ([INDEX, "pytorch_model.bin.index.json", *LARGE, *TORCH, "consolidated.safetensors"], INDEX),
        (["model.safetensors", INDEX, *LARGE], "model.safetensors"),
        (["pytorch_model.bin.index.json", *TORCH, "consolidated.00.pth"], "pytorch_model.bin.index.json"),
        (["tiny.safetensors", "consolidated.safetensors", "adapter_model.safetensors"], "tiny.safetensors"),
        (["tf_model.h5", "flax_model.msgpack", "rust_model.ot", "onnx/model.safetensors"], None),
        (["consolidated.safetensors"], None),
        (LARGE, None),
    ],
)
def test_one_form_of_the_weights(listed, wanted):
    assert weights(listed) == wanted


def test_tokenizer_files_of_every_kind_and_nothing_else():
    never = (
        "README.md model.onnx tf_model.h5 coreml/x.mlpackage modeling_x.py .gitattributes training_args.bin vocab.h5"
    )
    settings = "tokenizer_config.json special_tokens_map.json added_tokens.json chat_template.jinja"
    more = "preprocessor_config.json processor_config.json generation_config.json"
    parts = "vocab.txt vocab.json merges.txt source.spm target.spm spiece.model tokenizer.model sentencepiece.bpe.model"
    wanted = f"{settings} {more} {parts}".split()
    assert sorted(small_files([*wanted, *never.split()])) == sorted(wanted)
    assert sorted(small_files([*wanted, "tokenizer.json"])) == sorted(f"{settings} {more} tokenizer.json".split())


@pytest.mark.parametrize("shard", ["../x.safetensors", "/etc/x.safetensors", "a/../../x", "..\\x", ""])
def test_a_shard_lies_in_the_models_folder_whatever_is_listed(shard):
    with pytest.raises(ModelError, match=r"its index names .* which is not there"):
        check_shards("org/tiny", [shard], {shard: 1})


def test_what_is_missing_is_named():
    with pytest.raises(ModelError, match=r"has no model\.safetensors or pytorch_model\.bin"):
        check_listed("org/tiny", {"config.json": 1, "consolidated.safetensors": 1})


def test_files_of_a_large_repository(home, monkeypatch):
    """Both indexes, a second copy and other frameworks beside the shards: one form is fetched."""
    from safetensors.numpy import load_file, save

    arrays = load_file(BERT / "model.safetensors")
    names = sorted(arrays)
    shards = {LARGE[0]: names[::2], LARGE[1]: names[1::2]}
    places = {name: file for file, part in shards.items() for name in part}
    listed = {
        **{file: save({name: arrays[name] for name in part}) for file, part in shards.items()},
        "config.json": (BERT / "config.json").read_bytes(),
        INDEX: json.dumps({"metadata": {"total_size": 1.5e6}, "weight_map": places}).encode(),
        "pytorch_model.bin.index.json": json.dumps({"weight_map": dict.fromkeys(names, TORCH[0])}).encode(),
    }
    never = [*TORCH, "consolidated.safetensors", "consolidated.00.pth", "original/model.safetensors", "x.gguf"]
    found = Hub({**listed, **dict.fromkeys(never, b"never read")})
    with serving(found) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        attnviz.load("org/tiny").attend(ids=[5, 6])
    assert sorted(found.fetched()) == sorted(set(listed) - {"pytorch_model.bin.index.json"})


# What cannot be drawn is not fetched


def test_a_configuration_that_cannot_be_drawn_is_not_fetched(server):
    """Keys that matter and weights in a form that is not read are refused as well."""
    config = json.loads(server.files["config.json"])
    server.files["config.json"] = json.dumps({**config, "position_embedding_type": "astral"}).encode()
    assert "position_embedding_type" in complaint("org/tiny", ConfigError)[0]
    assert server.fetched() == ["config.json"]


def test_weights_in_a_form_that_is_not_read_are_not_fetched(server):
    config = json.loads(server.files["config.json"])
    said = {"quant_method": "awq", "bits": 4}
    server.files["config.json"] = json.dumps({**config, "quantization_config": said}).encode()
    assert complaint("org/tiny", ConfigError)[0] == "config.json: weights quantised by awq (4 bits) are not read"
    assert server.fetched() == ["config.json"]


def test_a_key_that_the_user_ignores_is_ignored_before_the_weights_too(server):
    config = json.loads(server.files["config.json"])
    server.files["config.json"] = json.dumps({**config, "auto_map": {"AutoModel": "x.Y"}, "astral": 1}).encode()
    assert "astral" in complaint("org/tiny", ConfigError)[0]
    model = attnviz.load("org/tiny", ignore_keys=["astral"])
    assert "astral" in model.meta["ignored_keys"]


# A text is split without weights


def test_only_tokenizer_files_are_fetched_to_split_a_text(server, files, home):
    want = attnviz.tokenize("w5 w6", "org/tiny").ids
    assert want == (5, 6)
    assert server.fetched() == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    seen = len(server.log)
    assert attnviz.tokenize("w5 w6", "org/tiny").ids == want
    assert len(server.log) == seen  # the second time no request is sent
    model = attnviz.load("org/tiny")  # what is missing comes with the model
    np.testing.assert_array_equal(model.attend(ids=[5, 6]).weights, attnviz.load(BERT).attend(ids=[5, 6]).weights)


def test_a_tokenizer_alone_on_the_hub(server):
    for name in ("config.json", "model.safetensors", "pytorch_model.bin"):
        del server.files[name]
    assert attnviz.tokenize("w5", "org/tiny@v2").ids == (5,)
    for name in ("tokenizer.json", "vocab.txt"):
        del server.files[name]
    assert complaint("org/tiny")[0] == "org/tiny on the Hub has no config.json"
    with pytest.raises(ModelError, match="org/tiny on the Hub has no tokenizer"):
        attnviz.tokenize("w5", "org/tiny")
    with pytest.raises(ModelError, match="is not in the Hub's cache"):
        attnviz.tokenize("w5", "org/other", offline=True)
