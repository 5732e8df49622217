"""Configurations of dense decoders beyond their tiny cases: patterns of layers, rotary bases, refusals."""

from __future__ import annotations

import json

import pytest
from helpers.paths import REFERENCE

from attnviz.engine.spec import Alibi, RotaryScaling, Spec
from attnviz.errors import ConfigError
from attnviz.families import family
from attnviz.families._config import Config
from attnviz.families._unembed import of_config


def made(name: str, *without: str, **changes: object) -> Spec:
    """The Spec of a tiny case whose configuration is changed."""
    data = json.loads((REFERENCE / name / "config.json").read_text())
    data = {key: value for key, value in data.items() if key not in without} | changes
    config = Config(data)
    spec: Spec = family(name).spec(config)
    return spec


def reach_and_turns(spec: Spec) -> list[tuple[int, bool]]:
    """The reach of each layer, and whether it has rotary positions."""
    return [(spec.reach_of(i), spec.rotary_of(i) is not None) for i in range(spec.n_layers)]


SLIDES, FULL = (4, True), (-1, False)


@pytest.mark.parametrize("pattern", ["LLG", 3])
def test_a_pattern_of_layers_is_a_word_or_a_number(pattern: object) -> None:
    spec = made("exaone4", "layer_types", num_hidden_layers=5, sliding_window_pattern=pattern)
    assert reach_and_turns(spec) == [SLIDES, SLIDES, FULL, SLIDES, SLIDES]


def test_a_pattern_of_other_letters_is_refused() -> None:
    with pytest.raises(ConfigError, match="sliding_window_pattern"):
        made("exaone4", "layer_types", sliding_window_pattern="LLX")


def test_without_a_window_every_layer_has_positions() -> None:
    spec = made("exaone4", "layer_types", sliding_window=None, sliding_window_pattern=4)
    assert reach_and_turns(spec) == [(-1, True)] * 2


@pytest.mark.parametrize("name", ["exaone4", "cohere2", "olmo3"])
def test_sliding_layers_without_a_window_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="sliding_window is null"):
        made(name, sliding_window=None)


def test_a_fourth_layer_is_full_where_nothing_is_said() -> None:
    for name in ("cohere2", "exaone4"):
        spec = made(name, "layer_types", "sliding_window_pattern", num_hidden_layers=4)
        assert reach_and_turns(spec) == [SLIDES] * 3 + [FULL]
    spec = made("olmo3", "layer_types", num_hidden_layers=4)
    assert reach_and_turns(spec) == [SLIDES] * 3 + [(-1, True)]


def test_scaling_beside_a_plain_base_is_for_full_layers_alone() -> None:
    """Published configurations have rope_theta and rope_scaling, but no rope_parameters."""
    yarn = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 8192}
    spec = made("olmo3", "rope_parameters", rope_theta=500000.0, rope_scaling=yarn)
    sliding, full = spec.rotary
    assert sliding is not None and full is not None
    assert (sliding.base, full.base) == (500000.0, 500000.0)
    assert sliding.scaling is None
    assert isinstance(full.scaling, RotaryScaling) and full.scaling.kind == "yarn"


def test_a_base_that_releases_understand_differently_is_refused() -> None:
    with pytest.raises(ConfigError, match="rope_theta 10000 leaves open"):
        made("olmo3", "rope_parameters", rope_theta=10000.0)
    full_only = made("olmo3", "rope_parameters", rope_theta=10000.0, layer_types=["full_attention"] * 2)
    assert [turn.base for turn in full_only.rotary if turn is not None] == [10000.0] * 2


def test_one_set_of_rotary_positions_for_two_kinds_of_layers_is_refused() -> None:
    """Releases from 5.0 to 5.12 wrote one set; releases from 5.13 on do not read it."""
    yarn = {"rope_type": "yarn", "rope_theta": 500000.0, "factor": 8.0, "original_max_position_embeddings": 8192}
    for rope in (yarn, {"rope_type": "default", "rope_theta": 10000.0}):
        with pytest.raises(ConfigError, match="one set of rotary positions"):
            made("olmo3", rope_parameters=rope)
    data = json.loads((REFERENCE / "olmo3" / "config.json").read_text())
    config = Config(data | {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}})
    assert family("olmo3").spec(config).rotary == made("olmo3").rotary
    assert config.unread() == []


def test_alpha_makes_a_larger_base_whatever_the_length() -> None:
    """NTK-aware scaling of 2023: base * alpha ** (d / (d - 2)), here 16 dimensions."""
    rope = {"type": "dynamic", "alpha": 1000.0, "factor": 1.0, "beta_fast": 32, "mscale": 1.0}
    spec = made("hunyuan_v1_dense", "rope_parameters", rope_theta=10000.0, rope_scaling=rope)
    turn = spec.rotary_of(0)
    assert turn is not None
    assert turn.base == pytest.approx(10000 * 1000 ** (16 / 14))
    assert turn.scaling is None
    plain = made("hunyuan_v1_dense", "rope_parameters", rope_scaling={"type": "dynamic", "factor": 2.0}).rotary_of(0)
    assert plain is not None and plain.scaling is not None
    assert (plain.base, plain.scaling.kind) == (10000.0, "dynamic")


def test_multipliers_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="attention_multiplier"):
        made("granite", attention_multiplier=0.0)
    data = json.loads((REFERENCE / "granite" / "config.json").read_text()) | {"logits_scaling": 0}
    with pytest.raises(ConfigError, match="logits_scaling"):
        of_config(Config(data), made("granite"))


@pytest.mark.parametrize("kinds", [["attention", "mamba"], ["full_attention", "linear_attention"], None])
def test_layers_without_attention_are_refused(kinds: object) -> None:
    with pytest.raises(ConfigError, match="Mamba"):
        made("granitemoehybrid", layer_types=kinds)


def test_a_granite_of_attention_alone_may_have_no_positions_and_no_experts() -> None:
    assert made("granitemoehybrid", "position_embedding_type").rotary_of(0) is None
    with pytest.raises(ConfigError, match="num_local_experts"):
        made("granitemoehybrid", num_local_experts=4)


@pytest.mark.parametrize(("settings", "factor"), [({}, 4.0), ({"factor": 9.0}, 9.0)])
def test_a_stated_factor_of_long_texts_overrides_the_ratio_of_lengths(
    settings: dict[str, float], factor: float
) -> None:
    tables = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
    lengths = {"original_max_position_embeddings": 16, "max_position_embeddings": 64}
    spec = made("phi3", "rope_parameters", rope_scaling={"type": "longrope", **tables, **settings}, **lengths)
    (turns,) = set(spec.rotary)
    assert turns.scaling is not None
    assert (turns.scaling.factor, turns.scaling.original) == (factor, 16)


def test_the_older_of_two_spellings_of_rotary_positions_wins() -> None:
    two = {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_parameters": {"rope_type": "linear", "factor": 2.0}}
    (turns,) = set(made("llama", **two).rotary)
    assert turns.scaling == RotaryScaling("linear", 4.0)


def test_yarns_bounds_left_out_are_1_and_32_turns() -> None:
    settings = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    (turns,) = set(made("llama", "rope_parameters", rope_scaling=settings).rotary)
    assert turns.scaling is not None
    assert (turns.scaling.low, turns.scaling.high) == (1.0, 32.0)


def test_windows_begin_with_the_layer_that_max_window_layers_counts_to() -> None:
    settings = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1, "num_hidden_layers": 3}
    spec = made("qwen2", "layer_types", **settings)
    assert [spec.reach_of(i) for i in range(3)] == [-1, 4, 4]


def test_falcons_alibi_counts_twice_before_scores_are_scaled() -> None:
    assert made("falcon", alibi=True).bias == Alibi(bfloat16=True, before_scale=True, times=2)
