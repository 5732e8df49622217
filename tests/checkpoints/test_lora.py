"""LoRA adapters merged when they are read: PEFT's own numbers, known products, and refusals."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from helpers.checkpoint_files import pickled, refused, tensor, torch_zip
from helpers.effort import spent, usual
from helpers.paths import ADAPTERS, REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.lora import open_adapter
from attnviz.cli import main
from attnviz.errors import AttnvizError, CheckpointError, ConfigError, ModelError

CASES = sorted(path.name for path in ADAPTERS.iterdir())
INPUTS = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}
STREAMS = ("self", "encoder", "decoder", "cross")
IDS = [5, 6, 7, 8]


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_peft(case):
    expected = np.load(ADAPTERS / case / "expected.npz")
    inputs = {ours: expected[theirs].tolist() for theirs, ours in INPUTS.items() if theirs in expected}
    base = REFERENCE / str(expected["base"])
    model = attnviz.load(base, adapter=ADAPTERS / case)
    tolerance = max(1e-5, 4 * float(expected["float32_difference"]))
    streams = [stream for stream in STREAMS if stream in expected]
    assert streams
    for stream in streams:
        got = model.attend(**inputs, stream=stream).weights
        np.testing.assert_allclose(got, expected[stream], rtol=0, atol=tolerance)
        without = attnviz.load(base).attend(**inputs, stream=stream).weights
        assert np.abs(without - got).max() > 0.5


# Small known adapters


def folder_of(path, tensors, **config):
    """An adapter folder; its tensors are named by module and part."""
    path.mkdir(exist_ok=True)
    plain = {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "bias": "none"}
    (path / "adapter_config.json").write_text(json.dumps(plain | config))
    arrays = {f"base_model.model.{name}": np.array(array, np.float32) for name, array in tensors.items()}
    save_file(arrays, path / "adapter_model.safetensors")
    return path


@pytest.fixture
def weights(tmp_path):
    """A checkpoint of two matrices and a bias, with our names for it."""
    arrays = {
        "model.a.weight": np.array([[1, 2, 3], [4, 5, 6]], np.float32),
        "model.b.weight": np.array([[1, 0], [0, 1]], np.float32),
        "model.b.bias": np.array([1, 1], np.float32),
    }
    save_file(arrays, tmp_path / "model.safetensors")
    return open_checkpoint(tmp_path / "model.safetensors")


NAMES = {"ours.a": "a.weight", "ours.b": ("b.weight", "transpose"), "ours.c": "b.bias"}
PAIR = {"a.lora_A.weight": [[1, 0, 2]], "a.lora_B.weight": [[1], [10]]}  # B A = [[1, 0, 2], [10, 0, 20]]


def merged(tmp_path, weights, tensors, name="model.a.weight", **config):
    adapter = open_adapter(folder_of(tmp_path / "adapter", tensors, **config))
    return adapter.applied(weights, NAMES).read(name).tolist()


def test_the_product_is_added_with_its_scale(tmp_path, weights):
    assert merged(tmp_path, weights, PAIR) == [[3, 2, 7], [24, 5, 46]]


def test_the_scale_is_alpha_over_rank_or_its_root(tmp_path, weights):
    pair = {"a.lora_A.weight": np.ones((4, 3)), "a.lora_B.weight": np.ones((2, 4))}  # B A is 4 everywhere
    plain, half, quarter = ([[x + added for x in row] for row in [[1, 2, 3], [4, 5, 6]]] for added in (4, 8, 2))
    assert merged(tmp_path, weights, pair, r=4, lora_alpha=4) == plain
    assert merged(tmp_path, weights, pair, r=4, lora_alpha=4, use_rslora=True) == half
    assert merged(tmp_path, weights, pair, r=4, lora_alpha=4, alpha_pattern={"a": 2}) == quarter
    assert merged(tmp_path, weights, pair, r=9, lora_alpha=4, rank_pattern={"^a$": 4}) == plain


def test_the_first_pattern_that_fits_the_end_of_a_name_counts(tmp_path, weights):
    tensors = {f"model.{name}": array for name, array in PAIR.items()}
    same = [[1 + 1, 2, 3 + 2], [4 + 10, 5, 6 + 20]]
    for patterns in ({"a": 1, "model.a": 9}, {"del.a": 9, "model.a": 1}, {r"mod\w*.a": 1}, {"": 9, "(x|a)": 1}):
        assert merged(tmp_path, weights, tensors, alpha_pattern=patterns) == same, patterns


def test_a_matrix_kept_in_out_gets_the_product_turned(tmp_path, weights):
    tensors = {"b.lora_A.weight": [[1, 0]], "b.lora_B.weight": [[0], [1]]}  # B A = [[0, 0], [1, 0]]
    assert merged(tmp_path, weights, tensors, "model.b.weight") == [[1, 2], [0, 1]]


def test_dora_gives_each_output_its_length(tmp_path, weights):
    tensors = PAIR | {"a.lora_magnitude_vector": [1, 2]}
    got = merged(tmp_path, weights, tensors, use_dora=True)
    first, second = math.sqrt(9 + 4 + 49), math.sqrt(24**2 + 5**2 + 46**2)
    want = [[x / first for x in (3, 2, 7)], [2 * x / second for x in (24, 5, 46)]]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_tensor_saved_whole_replaces_the_models(tmp_path, weights):
    tensors = PAIR | {"b.bias": [7, 8]}
    adapter = open_adapter(folder_of(tmp_path / "adapter", tensors, modules_to_save=["b"]))
    checkpoint = adapter.applied(weights, NAMES)
    assert checkpoint.read("model.b.bias").tolist() == [7, 8]
    assert checkpoint.rows("model.b.bias", [1]).tolist() == [8]
    assert checkpoint.read("model.b.weight").tolist() == [[1, 0], [0, 1]]
    assert checkpoint.rows("model.a.weight", [1]).tolist() == [[24, 5, 46]]
    assert checkpoint.rows("model.b.weight", [1]).tolist() == [[0, 1]]


def test_a_head_of_its_own_is_kept_by_its_name(tmp_path, weights):
    adapter = open_adapter(folder_of(tmp_path / "adapter", PAIR | {"score.weight": [[1, 2]]}, task_type="SEQ_CLS"))
    assert adapter.applied(weights, NAMES).read("score.weight").tolist() == [[1, 2]]


def test_only_what_is_read_is_merged(tmp_path):
    """NaN in the second layer's pair is not seen while only the first layer is read."""
    adapter = tmp_path / "adapter"
    shutil.copytree(ADAPTERS / "plain", adapter)
    arrays = load_file(adapter / "adapter_model.safetensors")
    arrays["base_model.model.encoder.layer.1.attention.self.query.lora_B.weight"][0, 0] = np.nan
    save_file(arrays, adapter / "adapter_model.safetensors")
    model = attnviz.load(REFERENCE / "bert", adapter=adapter)
    model.attend(ids=IDS, layers=0)
    with pytest.raises(
        CheckpointError, match=r"NaN in tensor .*layer\.1\.attention\.self\.query\.lora_B\.weight of adapter_model"
    ):
        model.attend(ids=IDS, layers=1)


def test_an_older_adapter_in_a_torch_file(tmp_path, weights):
    adapter = folder_of(tmp_path / "adapter", PAIR)
    (adapter / "adapter_model.safetensors").unlink()
    items = {
        "base_model.model.a.lora_A.weight": tensor("0", 3, (1, 3), (3, 1)),
        "base_model.model.a.lora_B.weight": tensor("1", 2, (2, 1), (1, 1)),
    }
    storages = {"0": np.array([1, 0, 2], "<f4").tobytes(), "1": np.array([1, 10], "<f4").tobytes()}
    torch_zip(adapter / "adapter_model.bin", pickled(items), storages)
    found = open_adapter(adapter).applied(weights, NAMES)
    assert found.read("model.a.weight").tolist() == [[3, 2, 7], [24, 5, 46]]


# Facts in a result


def test_the_name_and_the_digest_say_which_adapter(tmp_path):
    one = attnviz.load(REFERENCE / "bert", adapter=ADAPTERS / "plain")
    assert one.name == "bert + plain" and one.meta["adapter"] == "plain"
    assert one.meta["digest"] == attnviz.load(REFERENCE / "bert").meta["digest"]
    assert attnviz.load(REFERENCE / "bert", adapter=ADAPTERS / "plain", name="mine").name == "mine"
    other = tmp_path / "plain"
    shutil.copytree(ADAPTERS / "plain", other)
    assert open_adapter(other).digest == one.meta["adapter_digest"]
    raw = bytearray((other / "adapter_model.safetensors").read_bytes())
    raw[-1] ^= 1
    (other / "adapter_model.safetensors").write_bytes(raw)
    assert open_adapter(other).digest != one.meta["adapter_digest"]


def test_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["export", "--ids", "5,6,7,8", "-m", str(REFERENCE / "bert"), "--adapter", str(ADAPTERS / "plain")]
    assert main([*words, "-o", "x.npz"]) == 0
    attention = attnviz.open("x.npz")
    assert attention.model == "bert + plain"
    assert attention.meta["adapter"] == "plain"
    want = attnviz.load(REFERENCE / "bert", adapter=ADAPTERS / "plain").attend(ids=IDS).weights
    np.testing.assert_array_equal(attention.weights, want)
    capsys.readouterr()
    assert main(["export", "--ids", "5,6", "-m", "seeded", "--adapter", "x", "-o", "y.npz"]) == 1
    assert capsys.readouterr().err.startswith("error: seeded takes no adapter\nhint: ")


# Refusals


def complaint(path, weights=None, kind=AttnvizError, **options):
    with pytest.raises(kind) as caught:
        adapter = open_adapter(path, **options)
        if weights is not None:
            adapter.applied(weights, NAMES)
    assert "\n" not in str(caught.value)
    return str(caught.value)


BAD_CONFIGS = {
    "another method": ({"peft_type": "VERA"}, "peft_type must be LORA; got VERA"),
    "biases": ({"bias": "all"}, "bias must be none; got all"),
    "a changed model": ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4' may have changed the model itself"),
    "more layers": ({"layer_replication": [[0, 2], [1, 3]]}, "asks for layer_replication, which is not read here"),
    "a bias of B": ({"lora_bias": True}, "asks for lora_bias, which is not read here"),
    "whole parameters": ({"target_parameters": ["experts.w"]}, "asks for target_parameters"),
    "an unknown key": ({"warp": 3}, "nobody has said what the key 'warp' does to the numbers"),
    "rank 0": ({"r": 0}, "r must be a whole number of 1 or more; got 0"),
    "true as a rank": ({"r": True}, "r must be a whole number of 1 or more; got True"),
    "endless alpha": ({"lora_alpha": float("inf")}, "lora_alpha must be a number; got inf"),
    "a word as a flag": ({"use_rslora": "yes"}, "use_rslora must be true or false; got yes"),
    "patterns in a list": ({"alpha_pattern": ["a"]}, "alpha_pattern must be an object; got list"),
    "a broken pattern": ({"rank_pattern": {"(": 2}}, "rank_pattern: '(' is not a pattern"),
    "an endless pattern": ({"alpha_pattern": {"(a+)+": 2}}, "alpha_pattern: the pattern '(a+)+' is too involved"),
    "a rank in words": ({"rank_pattern": {"a": "two"}}, "rank_pattern[a] must be a whole number of 1 or more"),
    "names in a word": ({"modules_to_save": "b"}, "modules_to_save must be a list of names; got b"),
}


@pytest.mark.parametrize("what", BAD_CONFIGS)
def test_a_configuration_that_is_not_read(what, tmp_path):
    config, message = BAD_CONFIGS[what]
    assert message in complaint(folder_of(tmp_path / "adapter", PAIR, **config), kind=ConfigError)


ENDLESS = (
    "(a+)+b",
    "a*a*a*b",
    "(a|a)" * 40 + "b",
    "(a?)" * 40,
    "((a|a)|(a|a))|" * 3,
    r"(a|aa)\1*",
    "(?=a*)b",
    "a{9}{9}{9}",
)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern, tmp_path):
    path = folder_of(tmp_path / "adapter", PAIR, alpha_pattern={pattern: 1})
    assert "is too involved to be read" in complaint(path, kind=ConfigError)


@pytest.mark.parametrize("pattern", ["a*a*b", "a*(a|aa)(a|aa)b", "a*(" + "a|" * 30 + "a)(" + "a|" * 30 + "a)b"])
def test_the_worst_that_is_read_fails_soon(pattern, tmp_path):
    settings = open_adapter(folder_of(tmp_path / "adapter", PAIR, alpha_pattern={pattern: 1})).settings
    start = spent()
    assert settings.scaling("a" * 149) == 2
    assert settings.scaling("a." * 74) == 2
    assert usual(spent() - start) < 1
    with pytest.raises(ConfigError, match="a name of more than 150 letters"):
        settings.scaling("a" * 151)


def test_keys_that_are_off_or_ignored(tmp_path, weights):
    off = folder_of(tmp_path / "adapter", PAIR, warp=None, use_qalora=False, loftq_config={}, arrow_config=None)
    assert open_adapter(off).settings.ignored == ()
    on = folder_of(tmp_path / "adapter", PAIR, warp=3)
    assert open_adapter(on, ignore_keys=["warp"]).settings.ignored == ("warp",)
    hard = folder_of(tmp_path / "adapter", PAIR, lora_bias=True)
    assert "lora_bias" in complaint(hard, ignore_keys=["lora_bias"])


BAD_TENSORS = {
    "an unknown module": (
        {"x.lora_A.weight": [[1, 2]], "x.lora_B.weight": [[1]]},
        "model.safetensors has no tensor for x.weight of the adapter adapter",
    ),
    "an unknown module that is whole": (PAIR | {"z.weight": [1]}, "model.safetensors has no tensor for z.weight"),
    "half a pair": ({"a.lora_A.weight": [[1, 0, 2]]}, "adapter_model.safetensors: a has no lora_B"),
    "another rank": (
        {"a.lora_A.weight": np.ones((2, 3)), "a.lora_B.weight": np.ones((2, 2))},
        "adapter_model.safetensors: a has rank 2, its configuration says 1",
    ),
    "no product": (
        {"a.lora_A.weight": np.ones((1, 3)), "a.lora_B.weight": np.ones((2, 2))},
        "adapter_model.safetensors: a: lora_A 1 x 3 and lora_B 2 x 2 are no pair of matrices",
    ),
    "another width": (
        {"a.lora_A.weight": np.ones((1, 4)), "a.lora_B.weight": np.ones((2, 1))},
        "lora_A make 2 x 4, tensor model.a.weight of model.safetensors is 2 x 3",
    ),
    "an embedding": ({"a.lora_embedding_A": [[1]], "a.lora_embedding_B": [[1]]}, "is not of a Linear layer"),
    "a bias of B": (PAIR | {"a.lora_B.bias": [1, 1]}, "is not of a Linear layer"),
    "a magnitude without DoRA": (PAIR | {"a.lora_magnitude_vector": [1, 1]}, "use_dora is False"),
    "a pair twice": (PAIR | {"a.lora_A.default.weight": [[1, 0, 2]]}, "has lora_A of a twice"),
    "nothing": ({}, "holds no tensors"),
}


@pytest.mark.parametrize("what", BAD_TENSORS)
def test_tensors_that_do_not_fit(what, tmp_path, weights):
    tensors, message = BAD_TENSORS[what]
    assert message in complaint(folder_of(tmp_path / "adapter", tensors), weights, CheckpointError)


def test_magnitudes_must_be_as_many_as_outputs(tmp_path, weights):
    path = folder_of(tmp_path / "adapter", PAIR | {"a.lora_magnitude_vector": [1, 1, 1]}, use_dora=True)
    assert "lora_magnitude_vector must have 2 numbers" in complaint(path, weights, CheckpointError)


def test_a_saved_tensor_that_attention_reads_may_not_be_passed_over(tmp_path, weights):
    """`modules_to_save` allows tensors that the model lacks, except tensors in the family's table."""
    path = folder_of(tmp_path / "adapter", PAIR | {"deep.d.weight": [1]}, modules_to_save=["d"])
    adapter = open_adapter(path)
    adapter.applied(weights, NAMES)
    with pytest.raises(CheckpointError, match=r"no tensor for deep\.d\.weight of the adapter"):
        adapter.applied(weights, NAMES | {"ours.d": "d.weight"})


def test_folders_that_are_no_adapters(tmp_path):
    assert complaint(tmp_path / "none", kind=ModelError) == f"no such adapter folder: {tmp_path / 'none'}"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no adapter_config.json" in complaint(empty, kind=ConfigError)
    (empty / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert "has no adapter_model.safetensors or adapter_model.bin" in complaint(empty, kind=CheckpointError)
    (empty / "adapter_config.json").write_text("[" * 100_000)
    assert "adapter_config.json: it is nested too deeply" in complaint(empty, kind=CheckpointError)
    with pytest.raises(ConfigError, match="is an adapter, not a model"):
        attnviz.load(ADAPTERS / "plain")
    (empty / "adapter_model.safetensors").write_bytes(b"\xff" * 8 + b"{")
    assert "its header claims" in refused(empty / "adapter_model.safetensors")
