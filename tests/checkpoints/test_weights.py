"""Our names to a file's: prefixes, old spellings, alternatives, layouts; and refusals."""

from __future__ import annotations

from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from helpers.checkpoint_files import entry, safetensors_bytes
from helpers.effort import spent, usual
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.naming import Prefix, any_of, fill, find_prefix, matcher, new_spelling
from attnviz.checkpoints.weights import Weights
from attnviz.errors import CheckpointError, InputError

SIZES = SimpleNamespace(n_heads=2, n_kv_heads=2, d_head=2, d_model=4)
NAMES = {
    "embed.tokens": "embeddings.word_embeddings.weight",
    "layers.{i}.q.weight": [
        "encoder.layer.{i}.attention.query.weight",
        ("encoder.layer.{i}.attention.qkv.weight", "q_of_qkv"),
        ("encoder.layer.{i}.attention.c_attn.weight", "transpose", "q_of_qkv"),
    ],
    "layers.{i}.k.weight": ("encoder.layer.{i}.attention.qkv.weight", "k_of_qkv"),
    "layers.{i}.norm1.weight": "encoder.layer.{i}.LayerNorm.weight",
    "layers.{i}.norm1.bias": "encoder.layer.{i}.LayerNorm.bias",
    "layers.{i}.experts.{e}.up.weight": [
        "encoder.layer.{i}.experts.{e}.w3.weight",
        ("encoder.layer.{i}.experts.up_proj", "expert", "transpose"),
    ],
    "head.weight": ["lm_head.weight", "embeddings.word_embeddings.weight"],
}
Q = np.arange(16, dtype=np.float32).reshape(4, 4)
FUSED = np.arange(48, dtype=np.float32).reshape(12, 4)


def plain(prefix=""):
    return {
        f"{prefix}embeddings.word_embeddings.weight": np.arange(20, dtype=np.float32).reshape(5, 4),
        f"{prefix}encoder.layer.0.attention.query.weight": Q,
        f"{prefix}encoder.layer.0.LayerNorm.weight": np.arange(4, dtype=np.float32),
        f"{prefix}encoder.layer.0.LayerNorm.bias": np.ones(4, np.float32),
    }


@pytest.fixture
def weights(tmp_path):
    def make(tensors, names=NAMES, **options):
        save_file(tensors, tmp_path / "model.safetensors")
        return Weights(open_checkpoint(tmp_path), names, SIZES, **options)

    return make


def under(names, prefix):
    """A table whose stored names all begin with `prefix`, as in some families."""

    def longer(source):
        if isinstance(source, list):
            return [longer(form) for form in source]
        return (prefix + source[0], *source[1:]) if isinstance(source, tuple) else prefix + source

    return {name: longer(source) for name, source in names.items()}


@pytest.mark.parametrize("table", ["", "bert.", "model.encoder."])
@pytest.mark.parametrize("stored", ["", "bert.", "transformer.", "model.model.", "a.b.c."])
def test_prefixes_are_found(weights, table, stored):
    head = {
        "cls.predictions.decoder.weight": np.ones((2, 2), np.float32),
        "lm_head.weight": np.ones((5, 4), np.float32),
    }
    reader = weights(plain(stored) | head, under(NAMES, table) | {"head.weight": "lm_head.weight"})
    assert reader.stored_name("layers.0.q.weight") == f"{stored}encoder.layer.0.attention.query.weight"
    assert np.array_equal(reader.get("layers.0.q.weight", (4, 4)), Q)
    assert reader.stored_name("head.weight") == "lm_head.weight"


def test_the_tower_that_fits_best_is_chosen():
    table = {
        "embed.tokens": "embeddings.token_embedding.weight",
        "layers.{i}.q.weight": "encoder.layers.{i}.self_attn.q_proj.weight",
        "layers.{i}.k.weight": "encoder.layers.{i}.self_attn.k_proj.weight",
    }
    both = [
        f"{tower}.encoder.layers.{i}.self_attn.{part}_proj.weight"
        for tower in ("vision_model", "text_model")
        for part in "qkv"
        for i in range(9)
    ]
    both += ["text_model.embeddings.token_embedding.weight", "vision_model.embeddings.class_embedding"]
    assert find_prefix(table, both) == Prefix("", "text_model.")


def test_a_table_that_fits_has_no_prefix():
    assert find_prefix(NAMES, plain()) == Prefix("", "")
    assert find_prefix(NAMES, ["entirely.different"]) == Prefix("", "")
    assert find_prefix(NAMES, []) == Prefix("", "")
    assert find_prefix({"a": "x.weight"}, ["x.weight", "deep.x.weight"]) == Prefix("", "")
    assert find_prefix({"a": "m.x.weight"}, ["x.weight", "m.x.weight"]) == Prefix("", "")


def test_old_spellings_of_layer_norms_are_found(weights):
    tensors = {
        k.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): v for k, v in plain("bert.").items()
    }
    reader = weights(tensors)
    assert reader.stored_name("layers.0.norm1.weight") == "bert.encoder.layer.0.LayerNorm.gamma"
    assert reader.get("layers.0.norm1.bias", (4,)).tolist() == [1, 1, 1, 1]
    assert reader.canonical()["bert.encoder.layer.0.LayerNorm.gamma"] == "layers.0.norm1.weight"


@pytest.mark.parametrize(
    ("stored", "array"),
    [("query", FUSED[:4]), ("qkv", FUSED), ("c_attn", FUSED.T)],
)
def test_alternatives_are_tried_in_order(weights, stored, array):
    reader = weights({f"encoder.layer.0.attention.{stored}.weight": np.ascontiguousarray(array)})
    got = reader.get("layers.0.q.weight", (4, 4))
    assert np.array_equal(got, FUSED[:4]) and got.flags.c_contiguous
    assert reader.has("layers.0.q.weight") and not reader.has("layers.1.q.weight") and not reader.has("nothing")
    assert reader.has("layers.0.k.weight") == (stored == "qkv")


def test_experts_apart_and_in_a_stack(weights):
    apart = {f"encoder.layer.2.experts.{e}.w3.weight": np.full((3, 4), e, np.float32) for e in range(3)}
    stack = np.stack([np.full((4, 3), e, np.float32) + np.arange(3, dtype=np.float32) for e in range(3)])
    assert (weights(apart).get("layers.2.experts.1.up.weight", (3, 4)) == 1).all()
    reader = weights({"encoder.layer.2.experts.up_proj": stack})
    assert np.array_equal(reader.get("layers.2.experts.1.up.weight", (3, 4)), stack[1].T)
    assert reader.canonical() == {"encoder.layer.2.experts.up_proj": "layers.2.experts.*.up.weight"}
    with pytest.raises(CheckpointError) as caught:
        reader.get("layers.2.experts.3.up.weight", (3, 4))
    assert str(caught.value) == (
        "model.safetensors: tensor encoder.layer.2.experts.up_proj (layers.2.experts.3.up.weight), 3 x 4 x 3, "
        "does not fit the configuration: expert 3 is wanted, it has 3"
    )


@given(st.integers(0, 200), st.sampled_from([np.float64, np.float32, np.float16, ml_dtypes.bfloat16]))
def test_every_dtype_becomes_float32(tmp_path_factory, seed, dtype):
    array = np.random.RandomState(seed).randn(4, 4).astype(dtype)
    folder = tmp_path_factory.mktemp("weights")
    save_file({"w": array, "table": array}, folder / "model.safetensors")
    reader = Weights(open_checkpoint(folder), {"w": "w", "table": "table"}, SIZES)
    got = reader.get("w", (4, 4))
    assert got.dtype == np.float32 and np.array_equal(got, array.astype(np.float32))
    rows = reader.rows("table", [3, 0, 3], (4, 4))
    assert rows.dtype == np.float32 and np.array_equal(rows, array.astype(np.float32)[[3, 0, 3]])


def test_float32_is_a_view_of_the_file_and_the_rest_is_kept_to_a_limit(weights):
    names = {"view": "view", "table": "table"} | {f"b{i}": f"b{i}" for i in range(4)}
    brains = {f"b{i}": np.full((4, 4), i, ml_dtypes.bfloat16) for i in range(4)}
    reader = weights({"view": Q, "table": Q} | brains, names, cache_bytes=3 * 64)
    view = reader.get("view", (4, 4))
    assert not view.flags.owndata and not view.flags.writeable and reader.get("view", (4, 4)) is view
    first = reader.get("b0", (4, 4))
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1
    assert reader.get("b0", (4, 4)) is first
    for i in (1, 2):
        reader.get(f"b{i}", (4, 4))
    assert reader.get("b0", (4, 4)) is first  # used again, so b1 is now the least recently used
    second = reader.get("b1", (4, 4))
    reader.get("b3", (4, 4))
    assert reader.get("b1", (4, 4)) is second and reader.get("view", (4, 4)) is not None
    assert reader._cached <= 3 * 64


def test_an_unaligned_tensor_is_copied_into_place(tmp_path):
    header = {"byte": entry("U8", [1], 0, 1), "w": entry("F32", [4, 4], 1, 65)}
    text = safetensors_bytes(header)
    (tmp_path / "model.safetensors").write_bytes(text + b"\x01" + Q.tobytes())
    got = Weights(open_checkpoint(tmp_path), {"w": "w"}, SIZES).get("w", (4, 4))
    assert got.flags.aligned and np.array_equal(got, Q)


def test_our_names_of_stored_tensors(weights):
    tensors = plain("bert.") | {"bert.encoder.layer.0.attention.qkv.weight": FUSED, "other": Q}
    assert weights(tensors).canonical() == {
        "bert.embeddings.word_embeddings.weight": "embed.tokens, head.weight",
        "bert.encoder.layer.0.attention.query.weight": "layers.0.q.weight",
        "bert.encoder.layer.0.attention.qkv.weight": "layers.0.k.weight",  # q is taken from its own tensor
        "bert.encoder.layer.0.LayerNorm.weight": "layers.0.norm1.weight",
        "bert.encoder.layer.0.LayerNorm.bias": "layers.0.norm1.bias",
    }


def test_rows_through_a_layout_and_from_the_cache(weights):
    reader = weights({"t": np.ascontiguousarray(Q.T)}, {"t": ("t", "transpose")})
    assert np.array_equal(reader.rows("t", [2, 1], (4, 4)), Q[[2, 1]])
    reader.get("t", (4, 4))
    assert np.array_equal(reader.rows("t", [2, 1], (4, 4)), Q[[2, 1]])
    assert reader.rows("t", [], (4, 4)).shape == (0, 4)


@pytest.mark.parametrize("bad", [5, -1, 1 << 40])
def test_an_id_outside_the_table_is_named(weights, bad):
    reader = weights(plain())
    with pytest.raises(InputError) as caught:
        reader.rows("embed.tokens", [0, bad, 99], (5, 4))
    assert str(caught.value) == f"token id {bad} is outside the vocabulary of 5"


def message(call, *arguments):
    with pytest.raises(CheckpointError) as caught:
        call(*arguments)
    return str(caught.value)


def test_what_does_not_fit_is_named_by_both_names(weights):
    reader = weights(plain("bert.") | {"bert.encoder.layer.1.attention.qkv.weight": FUSED[:9].copy()})
    query = "bert.encoder.layer.0.attention.query.weight"
    assert message(reader.get, "layers.0.q.weight", (4, 8)) == (
        f"model.safetensors: tensor {query} (layers.0.q.weight) must be 4 x 8, it is 4 x 4"
    )
    reader.get("layers.0.q.weight", (-1, 4))
    assert message(reader.get, "layers.0.q.weight", (-1, 8)).endswith("must be any x 8, it is 4 x 4")
    assert message(reader.get, "layers.0.k.weight", (4, 4)) == (
        "model.safetensors has no tensor bert.encoder.layer.0.attention.qkv.weight (layers.0.k.weight)"
    )
    assert message(reader.get, "layers.1.k.weight", (4, 4)) == (
        "model.safetensors: tensor bert.encoder.layer.1.attention.qkv.weight (layers.1.k.weight), 9 x 4, "
        "does not fit the configuration: 12 rows are wanted, its shape is (9, 4)"
    )
    assert message(reader.rows, "embed.tokens", [1], (6, 4)) == (
        "model.safetensors: tensor bert.embeddings.word_embeddings.weight (embed.tokens) must be 6 x 4, it is 5 x 4"
    )
    assert message(reader.get, "layers.7.q.weight", (4, 4)) == (
        "model.safetensors has no tensor bert.encoder.layer.7.attention.query.weight or "
        "bert.encoder.layer.7.attention.qkv.weight or bert.encoder.layer.7.attention.c_attn.weight (layers.7.q.weight)"
    )
    assert message(reader.get, "unheard.of", (1,)) == "model.safetensors: this family has no tensor unheard.of"


def test_a_shape_behind_a_layout_names_what_is_stored(weights):
    reader = weights({"encoder.layer.0.attention.qkv.weight": FUSED})
    assert message(reader.get, "layers.0.k.weight", (4, 9)) == (
        "model.safetensors: tensor encoder.layer.0.attention.qkv.weight (layers.0.k.weight) must be 4 x 9, "
        "it is 4 x 4 (stored 12 x 4)"
    )


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_what_is_not_finite_is_named(weights, value, word):
    tensors = plain()
    tensors["encoder.layer.0.attention.query.weight"] = np.where(np.eye(4) > 0, np.float32(value), Q).astype(np.float32)
    tensors["embeddings.word_embeddings.weight"][3, 1] = value
    reader = weights(tensors)
    assert message(reader.get, "layers.0.q.weight", (4, 4)) == (
        f"{word} in tensor encoder.layer.0.attention.query.weight (layers.0.q.weight) of model.safetensors"
    )
    assert message(reader.rows, "embed.tokens", [3], (5, 4)).startswith(f"{word} in tensor embeddings.word_embeddings")
    assert reader.rows("embed.tokens", [2, 4], (5, 4)).shape == (2, 4)  # rows that are not requested are not checked


def test_finite_numbers_whose_sum_is_not_are_fine(weights):
    huge = np.full((4, 4), 3e38, np.float32)
    assert np.array_equal(weights({"w": huge}, {"w": "w"}).get("w", (4, 4)), huge)


def test_a_float64_too_large_for_float32_is_named(weights):
    assert message(weights({"w": np.full(2, 1e300)}, {"w": "w"}).get, "w", (2,)) == (
        "infinity in tensor w (w) of model.safetensors"
    )


def test_numbers_of_a_quantisation_are_not_taken_for_weights(weights):
    reader = weights({"w": np.zeros((4, 4), np.int8)}, {"w": "w"})
    assert message(reader.get, "w", (4, 4)) == "model.safetensors: tensor w (w) is stored as I8, not as weights"


def test_resolving_names_of_a_large_file_is_quick():

    stored = [
        f"model.layers.{i}.experts.{e}.{w}.weight" for i in range(60) for e in range(128) for w in ("a", "b", "c")
    ]
    stored += [f"x{i}.y{i}.weight" for i in range(20_000)]
    table = {
        f"layers.{{i}}.experts.{{e}}.{w}.weight": f"layers.{{i}}.experts.{{e}}.{w}.weight" for w in ("a", "b", "c")
    }
    start = spent()
    assert find_prefix(table, stored) == Prefix("", "model.")
    assert usual(spent() - start) < 2


@pytest.mark.parametrize(
    "pattern", ["a.{i}.b", "a.{i}.x{i}.b", "{e}", "a.weight", "layers.{i}.experts.{e}.w(3).weight"]
)
def test_one_expression_for_all_patterns_misses_no_name(pattern):
    """The joint expression is tried first: a name that it does not match is not ours."""
    known = any_of([matcher("other.{i}"), matcher(pattern)])
    for indices in ({"i": 0, "e": 7}, {"i": 123456, "e": 99}):
        assert known.fullmatch(fill(pattern, indices))
    assert not known.fullmatch("a.weigh")
    assert not any_of([]).fullmatch("")


def test_only_the_last_part_of_a_name_has_an_old_spelling():
    assert [new_spelling(name) for name in ("a.gamma", "a.beta", "gamma", "gamma.x", "a.xgamma")] == [
        "a.weight", "a.bias", "gamma", "gamma.x", "a.xgamma"
    ]  # fmt: skip
