"""Cases in other spellings: configurations of transformers 4 and the Hub, tensor names of old files.

    python scripts/reference_spellings.py CASES INTO [NAME ...]

For cases of the folder CASES (see make_reference.py and reference_variants.py) it writes INTO/NAME__v4 (the same
numbers, config.json respelt), INTO/NAME__old (tensors as older files name them) and INTO/NAME__state (as
`model.state_dict()` names them today). Each is read back with transformers and must give the attention it gave.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from old_tensors import OLD, Tensors

Config = dict[str, Any]

# Keys that configurations on the Hub carry and that have no effect on attention.
EXTRAS: dict[str, Config] = json.loads(Path(__file__).with_name("hub_keys.json").read_text())


def to_v4(config: Config) -> Config:
    """A configuration in transformers 4's form, without keys that have the library's default."""
    old = dict(config)
    kind = old["model_type"]
    _respell_rope(old, kind)
    for key in _derived(old, kind):
        old.pop(key, None)
    for key, value in _defaults(kind).items():
        if key in old and old[key] == value and key not in ("model_type", "architectures"):
            del old[key]
    old["torch_dtype"] = old.pop("dtype", "float32")
    old["transformers_version"] = "4.28.1"
    old["_name_or_path"] = "someone/something"
    if kind == "bloom":  # as published: the names other families use
        old["n_embed"] = old.pop("hidden_size")
        old["num_attention_heads"] = old.pop("n_head", 8)
    if kind in ("bart", "pegasus", "marian", "mbart", "whisper"):
        old["num_hidden_layers"] = config["encoder_layers"]  # another key for the same, in every published file
    if kind == "mpt":
        keep = (
            "alibi",
            "alibi_bias_max",
            "attn_impl",
            "attn_pdrop",
            "attn_type",
            "attn_uses_sequence_id",
            "clip_qkv",
            "prefix_lm",
            "qk_ln",
            "softmax_scale",
        )
        old["attn_config"] = {key: config["attn_config"][key] for key in keep}
    return {**EXTRAS.get(kind, {}), **old}


def _respell_rope(old: Config, kind: str) -> None:
    """rope_parameters -> rope_theta, rope_scaling and each family's own keys."""
    parameters = old.pop("rope_parameters", None)
    if not parameters:
        return
    if "full_attention" in parameters or "sliding_attention" in parameters:
        full, sliding = parameters["full_attention"], parameters["sliding_attention"]
        names = (
            ("global_rope_theta", "local_rope_theta")
            if kind == "modernbert"
            else ("rope_theta", "rope_local_base_freq")
        )
        old[names[0]], old[names[1]] = full["rope_theta"], sliding["rope_theta"]
        if kind == "olmo3":
            del old[names[1]]
        scaling = {key: value for key, value in full.items() if key != "rope_theta"}
    else:
        scaling = dict(parameters)
        old["rotary_emb_base" if kind == "gpt_neox" else "rope_theta"] = scaling.pop("rope_theta")
        part = scaling.pop("partial_rotary_factor", None)
        if part is not None:
            old["rotary_pct" if kind == "gpt_neox" else "partial_rotary_factor"] = part
    name = scaling.pop("rope_type", "default")
    if name != "default":
        if kind == "phi3":
            scaling.pop("original_max_position_embeddings", None)
        word = "rope_type" if name in ("llama3",) or kind in ("gpt_oss", "gemma3_text") else "type"
        old["rope_scaling"] = {word: name, **scaling}
    elif kind in ("llama", "phi3", "qwen2"):
        old["rope_scaling"] = None


def _derived(old: Config, kind: str) -> list[str]:
    """Keys that transformers 4 did not write: it derived them, or did not know them."""
    keys = [
        "dense_act_fn",
        "is_gated_act",
        "num_feat_extract_layers",
        "reshape_hidden_states",
        "out_features",
        "out_indices",
        "stage_names",
        "use_mask_token",
        "ffn_hidden_size",
    ]
    if old.get("head_dim") is None or (
        kind in ("llama", "mistral", "mixtral") and old["head_dim"] * old["num_attention_heads"] == old["hidden_size"]
    ):
        keys.append("head_dim")
    if kind == "falcon" and not old["new_decoder_architecture"]:
        keys.append("num_kv_heads")
    if kind == "falcon" and old.get("ffn_hidden_size") != 4 * old.get("hidden_size", 0):
        keys.remove("ffn_hidden_size")
    if kind in ("qwen2", "qwen3", "gemma2", "gpt_oss", "smollm3", "modernbert", "cohere2", "olmo3", "exaone4"):
        keys.append("layer_types")  # restored by `respell` if the default pattern is another
    if kind == "gemma3_text":
        keys.append("layer_types")
        old["sliding_window_pattern"] = old.pop("_sliding_window_pattern", 6)
        types = old["layer_types"]
        if types[1::2].count("full_attention") == len(types) // 2:
            old["sliding_window_pattern"] = 2
    if kind == "smollm3":
        keys.append("no_rope_layers")
    if kind == "opt" and old["word_embed_proj_dim"] == old["hidden_size"]:
        keys.append("word_embed_proj_dim")
    return keys


def _defaults(kind: str) -> Config:
    from transformers import AutoConfig

    return AutoConfig.for_model(kind).to_dict()


# ---------------------------------------------------------------- configurations with other values

ABSENT = object()
# (case, name, description, changed keys). The expected attention is transformers' for the new file.
EDITS: list[tuple[str, str, str, Config]] = [
    ("gemma", "gelu_word", "hidden_act gelu, as the first Gemma files: the tanh form is meant", {"hidden_act": "gelu"}),
    ("gemma", "hidden_activation", "hidden_activation set beside hidden_act: not read", {"hidden_activation": "relu"}),
    ("gpt_oss", "no_rope", "no rope_parameters: yarn by default", {"rope_parameters": ABSENT}),
    ("gpt_oss", "no_window", "sliding_window left out: 128", {"sliding_window": ABSENT}),
    ("mistral", "no_window_key", "sliding_window left out: 4096", {"sliding_window": ABSENT}),
    ("gemma2", "no_cap_key", "attn_logit_softcapping left out: 50", {"attn_logit_softcapping": ABSENT}),
    ("gemma2", "no_scalar_key", "query_pre_attn_scalar left out: 256", {"query_pre_attn_scalar": ABSENT}),
    (
        "gpt2",
        "other_words",
        "hidden_size, num_attention_heads, num_hidden_layers for n_embd, n_head, n_layer",
        {
            "n_embd": ABSENT,
            "n_head": ABSENT,
            "n_layer": ABSENT,
            "hidden_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
        },
    ),
    (
        "distilbert",
        "other_words",
        "hidden_size and so on for dim, n_heads, n_layers",
        {
            "dim": ABSENT,
            "n_heads": ABSENT,
            "n_layers": ABSENT,
            "hidden_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
        },
    ),
    (
        "llama",
        "both_rope_words",
        "rope_scaling with type and rope_type",
        {
            "rope_parameters": ABSENT,
            "rope_theta": 10000.0,
            "rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 3.0},
        },
    ),
    (
        "llama",
        "theta_beside",
        "rope_theta beside a rope_parameters without one",
        {"rope_parameters": {"rope_type": "default"}, "rope_theta": 300.0},
    ),
    (
        "llama",
        "scaling_wins",
        "rope_scaling and rope_parameters both: the first is read",
        {"rope_scaling": {"rope_type": "linear", "factor": 3.0}, "rope_theta": 300.0},
    ),
    (
        "phi3__longrope_long",
        "su",
        "rope_scaling type su",
        {
            "rope_parameters": ABSENT,
            "rope_theta": 10000.0,
            "rope_scaling": {"type": "su", "short_factor": [1.0, 1.1, 1.3, 1.6], "long_factor": [1.0, 2.0, 3.0, 5.0]},
        },
    ),
    (
        "qwen2",
        "window_no_size",
        "use_sliding_window with sliding_window null",
        {"use_sliding_window": True, "sliding_window": None, "layer_types": ABSENT},
    ),
    (
        "smollm3",
        "no_layers_key",
        "no_rope_layers left out: every fourth layer has no rotary positions",
        {"no_rope_layers": ABSENT},
    ),
    (
        "gpt_neox",
        "pct",
        "rotary_pct 1.0 and rotary_emb_base 500",
        {"rope_parameters": ABSENT, "rotary_pct": 1.0, "rotary_emb_base": 500},
    ),
    (
        "stablelm",
        "rope_pct_unknown",
        "partial_rotary_factor beside, none in rope_parameters",
        {"rope_parameters": ABSENT, "partial_rotary_factor": 1.0},
    ),
    ("stablelm", "no_rope", "no rotary keys at all: factor 0.25", {"rope_parameters": ABSENT}),
    ("phi", "no_rope", "no rotary keys at all: factor 0.5", {"rope_parameters": ABSENT}),
    ("glm", "no_rope", "no rotary keys at all: half of each head turns", {"rope_parameters": ABSENT}),
    (
        "glm4",
        "part_beside",
        "partial_rotary_factor beside, no rope_parameters",
        {"rope_parameters": ABSENT, "partial_rotary_factor": 0.25, "rope_theta": 300.0},
    ),
    (
        "cohere2",
        "pattern",
        "sliding_window_pattern, as transformers 4.48 wrote",
        {"layer_types": ABSENT, "sliding_window_pattern": 2, "cache_implementation": "hybrid"},
    ),
    ("olmo3", "no_rope", "no rotary keys at all", {"rope_parameters": ABSENT}),
    ("olmo3", "no_types", "layer_types left out: every fourth layer is full", {"layer_types": ABSENT}),
    (
        "olmo3",
        "yarn_v4",
        "rope_scaling, as published: full layers alone",
        {
            "rope_parameters": ABSENT,
            "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 8.0,
                "attention_factor": 1.2079441541679836,
                "beta_fast": 32,
                "beta_slow": 1,
                "original_max_position_embeddings": 16,
            },
        },
    ),
    ("exaone4", "no_window_key", "sliding_window left out: 4096", {"sliding_window": ABSENT}),
    ("exaone4", "no_types", "layer_types left out: every fourth layer is full", {"layer_types": ABSENT}),
    (
        "hunyuan_v1_dense",
        "alpha_v4",
        "dynamic rope with alpha, as published",
        {
            "rope_parameters": ABSENT,
            "rope_theta": 10000.0,
            "rope_scaling": {
                "type": "dynamic",
                "alpha": 1000.0,
                "factor": 1.0,
                "beta_fast": 32,
                "beta_slow": 1,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
            },
        },
    ),
    (
        "granite",
        "no_multipliers",
        "all multipliers left out: 1",
        dict.fromkeys(("embedding_multiplier", "attention_multiplier", "residual_multiplier"), ABSENT),
    ),
    (
        "seed_oss",
        "default_scaling",
        "rope_scaling of the default kind, as published",
        {"rope_parameters": ABSENT, "rope_theta": 10000000.0, "rope_scaling": {"rope_type": "default"}},
    ),
    ("ernie4_5", "no_rope", "no rotary keys at all: 500000", {"rope_parameters": ABSENT}),
    ("helium", "no_rope", "no rotary keys at all: 100000", {"rope_parameters": ABSENT}),
    ("xlnet", "clamp", "clamp_len 3", {"clamp_len": 3}),
    (
        "modernbert",
        "every1",
        "global_attn_every_n_layers 1, no layer_types",
        {"layer_types": ABSENT, "global_attn_every_n_layers": 1},
    ),
    *(
        (
            family,
            "flat",
            "the language model's keys beside vision_config, positions by axis, as published",
            {
                "text_config": ABSENT,
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "intermediate_size": 64,
                "vocab_size": 67,
                "max_position_embeddings": 64,
                "rms_norm_eps": 1e-6,
                "rope_theta": 500.0,
                "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
            },
        )
        for family in ("qwen2_vl", "qwen2_5_vl")
    ),
    ("t5", "dense_act", "dense_act_fn goes before feed_forward_proj", {"dense_act_fn": "gelu"}),
    ("mt5", "dense_act", "dense_act_fn goes before feed_forward_proj", {"dense_act_fn": "gelu"}),
    ("umt5", "tied_no", "tie_word_embeddings false, as published", {"tie_word_embeddings": False}),
    ("m2m_100", "no_pad", "pad_token_id left out: 1", {"pad_token_id": ABSENT}),
    (
        "t5",
        "words",
        "num_hidden_layers, num_attention_heads for T5's words",
        {"num_layers": ABSENT, "num_heads": ABSENT, "num_hidden_layers": 2, "num_attention_heads": 4},
    ),
]


# ---------------------------------------------------------------- writing and checking


def _agrees(folder: Path, strict: bool = True) -> float:
    """The largest difference between the stored attention and transformers' for the folder."""
    from reference_core import largest_difference, open_case, read_expected, run

    inputs, expected = read_expected(folder)
    return largest_difference(run(open_case(folder), inputs), expected)


def _copy(case: Path, into: Path) -> None:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "expected.npz"):
        shutil.copyfile(case / name, into / name)


def respell_config(case: Path, into: Path) -> str:
    """Write a v4 case; returns '' or its fault."""
    _copy(case, into)
    config = json.loads((case / "config.json").read_text())
    for keep in ((), ("layer_types",), ("layer_types", "no_rope_layers"), ("no_rope_layers",)):
        old = {**to_v4(dict(config)), **{key: config[key] for key in keep if key in config}}
        (into / "config.json").write_text(json.dumps(old, indent=2) + "\n")
        difference = _agrees(into)
        if difference < 3e-6:
            return ""
    return f"transformers makes {difference:.2g} of it"


def respell_tensors(case: Path, into: Path, change: Callable[[Tensors], Tensors]) -> str:
    """Write a case with other tensor names."""
    from safetensors.numpy import load_file, save_file

    _copy(case, into)
    save_file(change(load_file(case / "model.safetensors")), into / "model.safetensors", {"format": "pt"})
    difference = _agrees(into)
    return "" if difference < 3e-6 else f"transformers makes {difference:.2g} of it"


def plain_state(case: Path, into: Path) -> str:
    """Write a case with `state_dict()`'s names, if they differ from the saved names."""
    from reference_core import open_case
    from safetensors.numpy import load_file, save_file

    state = {name: tensor.contiguous().numpy().copy() for name, tensor in open_case(case).state_dict().items()}
    if state.keys() == load_file(case / "model.safetensors").keys():
        return "same"
    _copy(case, into)
    save_file(state, into / "model.safetensors", {"format": "pt"})
    difference = _agrees(into)
    return "" if difference < 3e-6 else f"transformers makes {difference:.2g} of it"


def edit(case: Path, into: Path, changes: Config) -> None:
    """Write a case with another configuration, and transformers' attention for it."""
    from reference_core import both, largest_difference, open_case, read_expected, record, save_expected

    _copy(case, into)
    config = {**json.loads((case / "config.json").read_text()), **changes}
    config = {key: value for key, value in config.items() if value is not ABSENT}
    (into / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    inputs, _ = read_expected(case)
    single, double = both(lambda: open_case(into), inputs)
    save_expected(into, inputs, single)
    record(into.parent / "float64.json", {into.name: largest_difference(single, double)})


def main() -> None:
    """Write every case of a folder, or the named ones, in other spellings."""
    cases, into, wished = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    from reference_core import record
    from reference_variants import write_index

    known = json.loads((cases / "float64.json").read_text())
    for case in sorted(path.parent for path in cases.glob("*/expected.npz")):
        if (wished and case.name not in wished) or case.name.endswith(
            ("__v4", "__old", "__state", "__prefixed", "__bare")
        ):
            continue
        jobs = [("v4", "configuration as transformers 4 and the Hub spell it", respell_config)]
        jobs.append(("state", "tensors as state_dict() names them", plain_state))
        for word, change in OLD.get(case.name, ()):
            jobs.append(
                (
                    word,
                    (change.__doc__ or "older tensor names").strip() if word == "old" else f"tensor names {word}",
                    lambda source, target, change=change: respell_tensors(source, target, change),
                )
            )
        for word, note, job in jobs:
            target = into / f"{case.name}__{word}"
            try:
                fault = job(case, target)
            except Exception as error:  # one case must not stop the rest
                fault = f"{type(error).__name__}: {str(error)[:200]}"
            if fault:
                shutil.rmtree(target, ignore_errors=True)
                if fault != "same":
                    print(f"{target.name}: {fault}", flush=True)
                continue
            record(into / "float64.json", {target.name: known.get(case.name, 0.0)})
            write_index(into, target.name, f"{case.name}: {note}")
    for case_name, name, note, changes in EDITS:
        if (cases / case_name / "expected.npz").exists() and (not wished or case_name in wished):
            target = into / f"{case_name}__{name}"
            try:
                edit(cases / case_name, target, changes)
                write_index(into, target.name, f"{case_name}: {note}")
            except Exception as error:
                shutil.rmtree(target, ignore_errors=True)
                print(f"{target.name}: {type(error).__name__}: {str(error)[:200]}", flush=True)


if __name__ == "__main__":
    main()
