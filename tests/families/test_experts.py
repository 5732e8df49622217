"""Mixtures of experts: which experts a token is sent to, and every form in which files store them."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.engine.experts import routed
from attnviz.engine.spec import Routing
from attnviz.errors import CheckpointError

# Routing, by hand


def shares(rule, scores, top_k, correction=None):
    """expert -> share of one token."""
    more = None if correction is None else np.array(correction, np.float32)
    chosen, found = routed(rule, np.array([scores], np.float32), top_k, more)
    return dict(zip(chosen[0].tolist(), found[0].tolist(), strict=True))


LOGS = np.log([1.0, 2.0, 3.0, 4.0]).tolist()  # a softmax over all experts: 0.1, 0.2, 0.3, 0.4


def test_shares_of_the_chosen_alone_and_of_all() -> None:
    assert shares(Routing(), LOGS, 2) == pytest.approx({3: 4 / 7, 2: 3 / 7})
    assert shares(Routing("softmax"), LOGS, 2) == pytest.approx({3: 0.4, 2: 0.3})
    assert shares(Routing("softmax", normalised=True, times=3.0), LOGS, 2) == pytest.approx({3: 12 / 7, 2: 9 / 7})


def test_a_correction_chooses_and_does_not_weigh() -> None:
    """Sigmoids 0.5, 0.75, 0.9: with the correction, the first precedes the second."""
    scores = [0.0, np.log(3.0), np.log(9.0)]
    rule = Routing("sigmoid", corrected=True)
    assert shares(rule, scores, 2, [0.3, 0.0, 0.0]) == pytest.approx({2: 0.9, 0: 0.5})
    assert shares(rule, scores, 2, [0.0, 0.0, -1.0]) == pytest.approx({1: 0.75, 0: 0.5})


def test_experts_outside_the_best_group_are_not_chosen() -> None:
    """Groups (0.8, 0.1) and (0.6, 0.5): the first has the best expert, the second the better pair."""
    scores = [np.log(p / (1 - p)) for p in (0.8, 0.1, 0.6, 0.5)]
    one, two = (Routing("sigmoid", groups=2, top_groups=1, group_by=by) for by in (1, 2))
    assert shares(one, scores, 2) == pytest.approx({0: 0.8, 1: 0.1})
    assert shares(two, scores, 2) == pytest.approx({2: 0.6, 3: 0.5})


def test_experts_of_the_best_group_stay_with_corrections_below_zero() -> None:
    rule = Routing("sigmoid", corrected=True, groups=2, top_groups=1, group_by=2)
    found = shares(rule, [1.0, 1.0, 0.0, 0.0], 2, [-5.0, -5.0, -9.0, -9.0])
    assert set(found) == {0, 1}


def test_a_mixer_weighs_each_of_two_among_those_near_it() -> None:
    """Scores 1, 0.95, 0.5: the second is within 10 % of the first; within 10 % of the second there is no other."""
    found = shares(Routing("mixer", near=0.1), [1.0, 0.5, 0.95], 2)
    assert found == pytest.approx({0: 1 / (1 + np.exp(-0.05)), 2: 1.0})
    assert shares(Routing("mixer", near=0.0), [1.0, 0.5, 0.95], 2) == pytest.approx({0: 1.0, 2: 1.0})


def test_a_mixer_measures_against_the_larger_of_both_scores() -> None:
    """Against -4: (1 - -4) / 4 = 1.25; a tolerance of 1.2 excludes it, one of 1.3 includes it."""
    assert shares(Routing("mixer", near=1.2), [1.0, -4.0], 2)[0] == pytest.approx(1.0)
    assert shares(Routing("mixer", near=1.3), [1.0, -4.0], 2)[0] == pytest.approx(1 / (1 + np.exp(-5)))


# Files

# family -> the names of one expert's gate, up and down, and the fused tensors that transformers has in memory
MLP = ("mlp.experts.{}.gate_proj.weight", "mlp.experts.{}.up_proj.weight", "mlp.experts.{}.down_proj.weight")
W = tuple(f"block_sparse_moe.experts.{{}}.{w}.weight" for w in ("w1", "w3", "w2"))
SPARSE = tuple(name.replace("mlp.", "block_sparse_moe.") for name in MLP)
FUSED = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
FORMS = {
    **dict.fromkeys(("qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v3", "glm4_moe", "olmoe"), (MLP, [FUSED])),
    **dict.fromkeys(("mixtral", "phimoe"), (W, [FUSED])),
    "granitemoe": (
        SPARSE,
        [
            ("block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight"),
            ("block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj"),
        ],
    ),
}


def experts_of(family, tensors):
    """(prefix of the layer, gates, ups, downs [expert, ...]) of every layer that has experts, and all other tensors."""
    one, fused = FORMS[family]
    rest, found = dict(tensors), []
    for prefix in sorted({m[1] for name in tensors if (m := re.match(r"(.*layers\.\d+\.)", name))}):
        if f"{prefix}{fused[0][0]}" in rest:
            both, down = (rest.pop(prefix + name) for name in fused[0])
            half = both.shape[1] // 2
            found.append((prefix, both[:, :half], both[:, half:], down))
        elif prefix + one[0].format(0) in rest:
            count = sum(prefix + one[0].format(e) in rest for e in range(99))
            parts = [np.stack([rest.pop(prefix + name.format(e)) for e in range(count)]) for name in one]
            found.append((prefix, *parts))
    assert found
    return found, rest


def respelt(family, tensors, form, unread=None):
    """The tensors of a case in one form; unread: (layer, expert) whose numbers become NaN."""
    one, fused = FORMS[family]
    found, rest = experts_of(family, tensors)
    for at, (prefix, *parts) in enumerate(found):
        gate, up, down = (part.copy() for part in parts)
        if unread is not None and unread[0] == at:
            gate[unread[1]] = up[unread[1]] = down[unread[1]] = np.nan
        if form == "one":
            for name, part in zip(one, (gate, up, down), strict=True):
                rest |= {prefix + name.format(e): part[e].copy() for e in range(len(part))}
            continue
        both = np.concatenate([gate, up], 1)
        number = int(form[-1])
        if form.startswith("turned"):
            both, down = both.swapaxes(1, 2), down.swapaxes(1, 2)
        rest |= {prefix + fused[number][0]: np.ascontiguousarray(both)}
        rest |= {prefix + fused[number][1]: np.ascontiguousarray(down)}
    return rest


def folder_of(family, place, tensors):
    folder = place / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(REFERENCE / family / "config.json", folder)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def expected(family):
    stored = np.load(REFERENCE / family / "expected.npz")
    return stored["input_ids"], stored["self"]


@pytest.mark.parametrize("family", FORMS)
def test_every_form_gives_the_same_attention(family, tmp_path) -> None:
    ids, weights = expected(family)
    tensors = load_file(REFERENCE / family / "model.safetensors")
    forms = ["one", *(f"{how}{n}" for n in range(len(FORMS[family][1])) for how in ("fused", "turned"))]
    for form in forms:
        folder = folder_of(family, tmp_path, respelt(family, tensors, form))
        attended = attnviz.load(folder).attend(ids=ids).weights
        np.testing.assert_allclose(attended, weights, rtol=0, atol=1e-5, err_msg=form)


@pytest.mark.parametrize("form", ["one", "fused0"])
@pytest.mark.parametrize("family", ["qwen3_moe", "granitemoe", "mixtral"])
def test_experts_that_no_token_is_sent_to_are_not_read(family, form, tmp_path) -> None:
    """A NaN is an error as soon as it is read; a single token reads 2 of the 4 experts."""
    tensors, read = load_file(REFERENCE / family / "model.safetensors"), []
    for e in range(4):
        folder = folder_of(family, tmp_path, respelt(family, tensors, form, unread=(0, e)))
        try:
            attnviz.load(folder).attend(ids=[7])
        except CheckpointError as error:
            assert "NaN" in str(error)
            read.append(e)
    assert len(read) == 2


def test_several_files_with_an_index(tmp_path) -> None:
    """Every other tensor is in a second file, so that a layer's experts are in both."""
    ids, weights = expected("deepseek_v3")
    tensors = load_file(REFERENCE / "deepseek_v3" / "model.safetensors")
    folder = folder_of("deepseek_v3", tmp_path, tensors)
    (folder / "model.safetensors").unlink()
    files = {name: f"model-{1 + at % 2:05}-of-00002.safetensors" for at, name in enumerate(sorted(tensors))}
    for file in set(files.values()):
        save_file({name: tensors[name] for name in tensors if files[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    np.testing.assert_allclose(attnviz.load(folder).attend(ids=ids).weights, weights, rtol=0, atol=1e-5)


def test_a_layer_behind_the_last_is_no_part_of_the_stack(tmp_path) -> None:
    """Published DeepSeek-V3 and GLM-4.5 files have a layer that predicts a token further ahead."""
    ids, weights = expected("deepseek_v3")
    tensors = load_file(REFERENCE / "deepseek_v3" / "model.safetensors")
    front, more = "model.layers.1.", {}
    for name in [name for name in tensors if name.startswith(front)]:
        more["model.layers.2." + name.removeprefix(front)] = np.full_like(tensors[name], np.nan)
    more["model.layers.2.embed_tokens.weight"] = tensors["model.embed_tokens.weight"] + 1
    more["model.layers.2.shared_head.norm.weight"] = tensors["model.norm.weight"] + 1
    folder = folder_of("deepseek_v3", tmp_path, {**tensors, **more})
    np.testing.assert_allclose(attnviz.load(folder).attend(ids=ids).weights, weights, rtol=0, atol=1e-5)


def test_kimi_is_this_model(tmp_path) -> None:
    ids, weights = expected("deepseek_v3")
    folder = folder_of("deepseek_v3", tmp_path, load_file(REFERENCE / "deepseek_v3" / "model.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "kimi_k2"}))
    np.testing.assert_allclose(attnviz.load(folder).attend(ids=ids).weights, weights, rtol=0, atol=1e-5)


def changed(family, place, **keys):
    folder = folder_of(family, place, load_file(REFERENCE / family / "model.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}))
    return folder


@pytest.mark.parametrize(
    "family, keys, said",
    [
        ("deepseek_v3", {"scoring_func": "softmax"}, "scoring_func"),
        ("deepseek_v3", {"n_group": 3}, "n_group 3"),
        ("deepseek_v3", {"num_experts_per_tok": 5}, "more than the 4 experts"),
        ("deepseek_v3", {"n_group": 8, "num_experts_per_tok": 1}, "two experts or more"),
        ("deepseek_v2", {"topk_method": "noaux_tc"}, "topk_method"),
        ("deepseek_v2", {"moe_layer_freq": 2}, "moe_layer_freq"),
        ("deepseek_v2", {"num_key_value_heads": 2}, "num_key_value_heads"),
        ("qwen2_moe", {"layer_types": ["full_attention", "sliding_attention"]}, "use_sliding_window is false"),
        ("phimoe", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}}, "rope_type"),
    ],
)
def test_what_is_not_handled_is_refused(family, keys, said, tmp_path) -> None:
    with pytest.raises(attnviz.AttnvizError, match=said):
        attnviz.load(changed(family, tmp_path, **keys))
