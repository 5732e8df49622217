"""The tiny reference checkpoints with heads, so that they can continue a text; both programs are run on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

MOST = 12
Head = tuple[str, int, tuple[int | str, ...]]
_PLAIN: Head = ("lm_head.weight", 1, ("V", "d"))
_TIED = (
    "biogpt bloom cohere falcon gemma gemma2 gemma3_text gpt2 gpt_bigcode gpt_neo m2m_100 mpt mt5 openai_gpt opt"
    " smollm3 starcoder2 t5 umt5 whisper xglm"
)
_UNTIED = (
    "deepseek_v2 deepseek_v3 exaone4 glm glm4 glm4_moe gpt_oss granite granitemoe granitemoehybrid helium"
    " hunyuan_v1_dense llama mistral mixtral nemotron olmo olmo2 olmo3 olmoe phi3 qwen2 qwen2_moe qwen3 qwen3_moe"
    " seed_oss stablelm"
)
# Families, and the tensors that their heads store besides the token embeddings: (name, seed, shape), V the vocabulary.
FAMILIES: dict[str, tuple[Head, ...]] = {
    **dict.fromkeys(_TIED.split(), ()),
    **dict.fromkeys(
        ("bart", "bigbird_pegasus", "blenderbot", "blenderbot_small", "led", "marian", "mbart", "pegasus"),
        (("final_logits_bias", 2, (1, "V")),),
    ),
    **dict.fromkeys(_UNTIED.split(), (_PLAIN,)),
    "gpt_neox": (("embed_out.weight", 1, ("V", "d")),),
    "codegen": (_PLAIN, ("lm_head.bias", 2, ("V",))),
    "gptj": (_PLAIN, ("lm_head.bias", 2, ("V",))),
    **dict.fromkeys(("cohere2", "ernie4_5"), ()),
    "phimoe": (_PLAIN, ("lm_head.bias", 2, ("V",))),
    "phi": (_PLAIN, ("lm_head.bias", 2, ("V",))),
}
_BASE = {"gpt_neox": "gpt_neox.", "gptj": "transformer.", "codegen": "transformer.", "led": "led."}


def headed(family: str, place: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder with the checkpoint and its head, and the input: ids, or what an encoder and a decoder read."""
    own, folder = REFERENCE / family, place / family
    folder.mkdir(parents=True)
    config = json.loads((own / "config.json").read_text())
    expected = np.load(own / "expected.npz")
    if not FAMILIES[family]:
        config.setdefault("tie_word_embeddings", True)
        if not config["tie_word_embeddings"]:
            raise AssertionError(f"{family}: no head of its own, and not tied")
    if "decoder_input_ids" in expected and config.get("decoder_start_token_id") is None:
        config["decoder_start_token_id"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(own / "model.safetensors", folder)
    if FAMILIES[family]:
        tensors = load_file(own / "model.safetensors")
        front = _BASE.get(family, "model.")
        if not any(name.startswith(front) for name in tensors):
            tensors = {front + name: values for name, values in tensors.items()}
        sizes = {"V": config["vocab_size"], "d": config.get("hidden_size") or config.get("d_model") or config["n_embd"]}
        for name, seed, shape in FAMILIES[family]:
            axes = [axis if isinstance(axis, int) else sizes[axis] for axis in shape]
            tensors[name] = np.random.RandomState(seed).standard_normal(axes).astype(np.float32)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    names = ("input_ids", "input_features", "decoder_input_ids")
    inputs = {name: expected[name] for name in names if name in expected}
    if "decoder_input_ids" in inputs:  # the start token and two more
        inputs["decoder_input_ids"] = np.array([config["decoder_start_token_id"], *inputs["decoder_input_ids"][1:3]])
    return folder, inputs
