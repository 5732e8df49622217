"""Write tests/data/lens.npz: the logit lens by transformers, for tiny checkpoints and for SmolLM2-135M dequantised.

    python scripts/make_lens_reference.py [SMOLLM2.gguf]

A hook in front of the final norm replaces its input by the hidden state after each layer; what the model then gives are
that layer's scores, with the model's own norm, output head, scale and softcap. For each case: scores [layer, token] at
the last position in float32, and the largest difference of transformers' float32 scores from its float64 ones; for
SmolLM2 the five likeliest tokens of every layer, and their log-probabilities. Needs torch and transformers, which
attnviz itself never imports.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers

HOUSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOUSE / "tests"))
from helpers.headed import headed  # noqa: E402
from helpers.masked import HEADS, with_head  # noqa: E402
from make_generate_reference import architecture  # noqa: E402
from reference_core import honest_float64  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
# Family -> its final norm; "" for a model without one, whose hidden states go into `head` as they are.
NORMS = {
    "bloom": "transformer.ln_f",
    "cohere": "model.norm",
    "falcon": "transformer.ln_f",
    "gemma2": "model.norm",
    "gpt2": "transformer.ln_f",
    "gpt_neox": "gpt_neox.final_layer_norm",
    "granite": "model.norm",
    "llama": "model.norm",
    "olmo2": "model.norm",
    "opt": "model.decoder.final_layer_norm",
    "phi": "model.final_layernorm",
    "t5": "decoder.final_layer_norm",
}
MASKED = {"bert": "cls", "modernbert": "model.final_norm"}
TEXT = "The capital of France is"


def opened(name: str, place: Path) -> tuple[torch.nn.Module, dict[str, torch.Tensor], str]:
    """transformers' model, its input, and the module in front of which hidden states are replaced."""
    if name in MASKED:
        folder, ids = with_head(name, place)
        inputs: dict[str, Any] = {"input_ids": np.array(ids)}
        kind, module = getattr(transformers, HEADS[name].model), MASKED[name]
    else:
        folder, inputs = headed(name, place)
        kind, module = architecture(name, "decoder_input_ids" not in inputs), NORMS[name]
    model = kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    return model, {key: torch.from_numpy(np.asarray(values)[None]) for key, values in inputs.items()}, module


def lens(model: torch.nn.Module, inputs: dict[str, torch.Tensor], module: str) -> np.ndarray:
    """Scores [layer, token] at the last position, from the hidden state after every layer."""
    given = model(**inputs, output_hidden_states=True)
    states = given.decoder_hidden_states if "decoder_hidden_states" in given else given.hidden_states
    rows = []
    for state in states[:-1]:
        hook = model.get_submodule(module).register_forward_pre_hook(lambda _, args, state=state: (state, *args[1:]))
        rows.append(model(**inputs).logits[0, -1].numpy())
        hook.remove()
    return np.stack([*rows, given.logits[0, -1].numpy()])


def smollm2(file: Path) -> dict[str, np.ndarray]:
    """The five likeliest tokens of every layer of SmolLM2, its file dequantised by attnviz."""
    import attnviz

    ours = attnviz.load(file)
    config = transformers.LlamaConfig(**ours.config, tie_word_embeddings=True)
    model = transformers.LlamaForCausalLM._from_config(config, attn_implementation="eager").eval()
    stored = {"model.embed_tokens.weight": "embed.tokens", "model.norm.weight": "final_norm.weight"}
    parts = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}
    names = {f"self_attn.{theirs}.weight": f"{own}.weight" for own, theirs in parts.items()}
    names |= {f"mlp.{part}_proj.weight": f"{part}.weight" for part in ("gate", "up", "down")}
    names |= {"input_layernorm.weight": "norm1.weight", "post_attention_layernorm.weight": "norm2.weight"}
    for i in range(config.num_hidden_layers):
        stored |= {f"model.layers.{i}.{theirs}": f"layers.{i}.{own}" for theirs, own in names.items()}
    state = model.state_dict()
    state |= {name: torch.from_numpy(ours.tensors.get(own, state[name].shape).copy()) for name, own in stored.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    ids = torch.tensor([ours.tokens(TEXT).ids])
    scores = lens(model, {"input_ids": ids}, "model.norm")
    with honest_float64():
        double = lens(model.double(), {"input_ids": ids}, "model.norm")
    logprobs = torch.from_numpy(scores).double().log_softmax(-1)
    top = logprobs.topk(5)
    error = np.abs(logprobs.numpy() - torch.from_numpy(double).log_softmax(-1).numpy()).max()
    print("smollm2", f"{error:.1e}", ours.tokenizer.describe(top.indices[-1].tolist()).text)
    found = {"smollm2.text_ids": ids[0].numpy(), "smollm2.ids": top.indices.numpy()}
    return found | {"smollm2.logprobs": top.values.numpy(), "smollm2.error": np.float64(error)}


def main() -> None:
    """Write all cases; SmolLM2's are kept from the file where its path is not given."""
    file = HOUSE / "tests" / "data" / "lens.npz"
    kept = {name: values for name, values in np.load(file).items() if "smollm2" in name} if file.exists() else {}
    arrays: dict[str, np.ndarray] = {}
    with torch.no_grad():
        for name in (*NORMS, *MASKED):
            with tempfile.TemporaryDirectory() as place:
                model, inputs, module = opened(name, Path(place))
                arrays[name] = lens(model, inputs, module)
                with honest_float64():
                    error = np.abs(lens(model.double(), inputs, module) - arrays[name]).max()
            arrays[f"{name}.error"] = np.float64(error)
            print(name, arrays[name].shape, f"{error:.1e}", f"{np.abs(arrays[name]).max():.1f}")
        arrays |= smollm2(Path(sys.argv[1])) if len(sys.argv) > 1 else kept
    np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main()
