"""Make tiny GGUF files with llama.cpp's own converter, and store transformers' attention with the same weights.

    python scripts/make_gguf_cases.py LLAMA_CPP [NAME ...]      LLAMA_CPP: a checkout of ggml-org/llama.cpp

Writes tests/reference_gguf/NAME.gguf and NAME.npz (ids, attention by stream, and `float32_difference`, the difference
of transformers' float32 from its float64). The files hold no tokenizer. nomic-bert-moe is not made here: its attention
comes from the published model's own code. Needs torch, transformers and safetensors.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["TQDM_DISABLE"] = "1"
OUTPUT = Path(__file__).resolve().parents[1] / "tests" / "reference_gguf"
SIZES = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
DECODER = {**SIZES, "num_key_value_heads": 1, "num_hidden_layers": 2, "max_position_embeddings": 64}
HEAD8 = {"head_dim": 8, "query_pre_attn_scalar": 8}
PLAIN = {"rope_type": "default", "rope_theta": 1e4}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
HALF = {**PLAIN, "partial_rotary_factor": 0.5}
ALPHA = {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 1000.0, "factor": 1.0}
YARN = {"rope_type": "yarn", "rope_theta": 1e3, "factor": 4.0, "original_max_position_embeddings": 16}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0, 1.1, 1.3, 1.6],
    "long_factor": [1.0, 2.0, 3.0, 5.0],
}
GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 12}
LATENT = {
    **DECODER,
    **EXPERTS,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "kv_lora_rank": 8,
    "q_lora_rank": 10,
    "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4,
    "v_head_dim": 5,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
}
FALCON = {**SIZES, "num_hidden_layers": 2, "alibi": False, "bias": False, "ffn_hidden_size": 64}

# Keys of the published files, which the converter reads.
_OFF = ("causal", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias", "prenorm", "rotary_emb_interleaved")
NOMIC = {
    "n_positions": 8192,
    "max_trained_positions": 2048,
    "activation_function": "swiglu",
    **dict.fromkeys(_OFF, False),
}
NOMIC |= {"rotary_emb_fraction": 1.0, "rotary_emb_base": 50.0, "rotary_emb_scale_base": None}
EUROBERT = {"head_dim": 8, "classifier_pooling": "mean", "rope_parameters": {**PLAIN, "rope_theta": 2.5e5}}

T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2, "num_layers": 2}


@dataclass(frozen=True)
class Case:
    """model_type and configuration; the architecture's name with a head, and the prefix of its tensors.

    late: configuration keys that the converter needs and transformers does not write.
    """

    model_type: str
    config: Mapping[str, Any]
    head: str
    prefix: str = "model."
    n: int = 14
    late: Mapping[str, Any] = field(default_factory=dict)
    outtype: str = "ALL_F32"
    fuse_qkv: bool = False
    model: str = ""  # the class that makes it, if it is not the family's own


CASES = {
    "llama": Case("llama", {**DECODER, "rope_parameters": LLAMA3}, "LlamaForCausalLM", n=40),
    "llama-linear": Case(
        "llama", {**DECODER, "rope_parameters": {**PLAIN, "rope_type": "linear", "factor": 4.0}}, "LlamaForCausalLM"
    ),
    "llama-yarn": Case("llama", {**DECODER, "rope_parameters": YARN}, "LlamaForCausalLM", n=20),
    "llama-biases": Case("llama", {**DECODER, "attention_bias": True, "mlp_bias": True}, "LlamaForCausalLM"),
    "llama-fused": Case("llama", DECODER, "LlamaForCausalLM", fuse_qkv=True),
    "mixtral": Case("mixtral", {**DECODER, "num_local_experts": 3, "num_experts_per_tok": 2}, "MixtralForCausalLM"),
    "qwen2": Case("qwen2", DECODER, "Qwen2ForCausalLM"),
    "qwen3": Case("qwen3", {**DECODER, "head_dim": 12}, "Qwen3ForCausalLM"),
    "gemma": Case("gemma", {**DECODER, "head_dim": 12}, "GemmaForCausalLM"),
    "gemma2": Case("gemma2", {**DECODER, **HEAD8, "num_hidden_layers": 4, "sliding_window": 5}, "Gemma2ForCausalLM"),
    "gemma3": Case(
        "gemma3_text",
        {**DECODER, **HEAD8, "num_hidden_layers": 7, "sliding_window": 5, "rope_parameters": GEMMA3_ROPE},
        "Gemma3ForCausalLM",
    ),
    "phi2": Case("phi", {**DECODER, "num_key_value_heads": 2}, "PhiForCausalLM"),
    "phi3": Case("phi3", {**DECODER, "original_max_position_embeddings": 64, "sliding_window": 6}, "Phi3ForCausalLM"),
    "phi3-short": Case(
        "phi3",
        {**DECODER, "rope_parameters": LONGROPE, "original_max_position_embeddings": 16},
        "Phi3ForCausalLM",
        n=15,
    ),
    "phi3-long": Case(
        "phi3",
        {**DECODER, "rope_parameters": LONGROPE, "original_max_position_embeddings": 16},
        "Phi3ForCausalLM",
        n=20,
    ),
    "gpt2": Case(
        "gpt2",
        {"vocab_size": 40, "n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 24},
        "GPT2LMHeadModel",
        "transformer.",
        late={"n_ctx": 24},
    ),
    "gptneox": Case(
        "gpt_neox",
        {**DECODER, "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.5}},
        "GPTNeoXForCausalLM",
        "gpt_neox.",
        late={"rotary_pct": 0.5},
    ),
    "falcon": Case(
        "falcon",
        {**FALCON, "multi_query": True, "new_decoder_architecture": False},
        "FalconForCausalLM",
        "transformer.",
        late={"num_kv_heads": 1},
    ),
    "falcon-grouped": Case(
        "falcon",
        {**FALCON, "num_attention_heads": 4, "num_kv_heads": 2, "new_decoder_architecture": True},
        "FalconForCausalLM",
        "transformer.",
    ),
    "bloom": Case(
        "bloom", {"vocab_size": 40, "hidden_size": 16, "n_head": 2, "n_layer": 2}, "BloomForCausalLM", "transformer."
    ),
    "mpt": Case(
        "mpt",
        {
            "vocab_size": 40,
            "d_model": 16,
            "n_heads": 2,
            "n_layers": 2,
            "max_seq_len": 64,
            "attn_config": {"clip_qkv": 1.5},
        },
        "MPTForCausalLM",
        "transformer.",
    ),
    "starcoder2": Case("starcoder2", {**DECODER, "sliding_window": None}, "Starcoder2ForCausalLM"),
    "stablelm": Case("stablelm", {**DECODER, "use_qkv_bias": True}, "StableLmForCausalLM"),
    "stablelm-parallel": Case("stablelm", {**DECODER, "use_parallel_residual": True}, "StableLmForCausalLM"),
    "olmo2": Case("olmo2", DECODER, "Olmo2ForCausalLM"),
    "olmo3": Case(
        "olmo3",
        {
            **DECODER,
            "num_key_value_heads": 2,
            "num_hidden_layers": 5,
            "sliding_window": 5,
            "rope_parameters": {
                "full_attention": {**YARN, "attention_factor": 1.3, "beta_fast": 16.0, "beta_slow": 2.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e3},
            },
        },
        "Olmo3ForCausalLM",
        n=24,
    ),
    "granite": Case(
        "granite",
        {
            **DECODER,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
            "rope_parameters": YARN,
        },
        "GraniteForCausalLM",
        n=20,
    ),
    "granite-biases": Case(
        "granite",
        {**DECODER, "attention_bias": True, "mlp_bias": True, "attention_multiplier": 0.5},
        "GraniteForCausalLM",
    ),
    "granite-4": Case(
        "granitemoehybrid",
        {
            **DECODER,
            "layer_types": ["full_attention"] * 2,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "shared_intermediate_size": 24,
            "position_embedding_type": "rope",
            "mamba_n_heads": 4,
            "mamba_d_state": 8,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.4,
        },
        "GraniteMoeHybridForCausalLM",
        late={"layer_types": ["attention"] * 2, "d_head": 8},
    ),
    "exaone4": Case(
        "exaone4",
        {**DECODER, "num_hidden_layers": 5, "sliding_window": 5, "rope_parameters": LLAMA3},
        "Exaone4ForCausalLM",
        n=40,
    ),
    "exaone4-full": Case(
        "exaone4",
        {**DECODER, "sliding_window": None, "sliding_window_pattern": None, "layer_types": ["full_attention"] * 2},
        "Exaone4ForCausalLM",
    ),
    "cohere2": Case(
        "cohere2",
        {**DECODER, "num_hidden_layers": 5, "sliding_window": 5},
        "Cohere2ForCausalLM",
        late={"rotary_pct": 1.0},
    ),
    "glm4": Case("glm4", {**DECODER, "head_dim": 8, "rope_parameters": HALF}, "Glm4ForCausalLM"),
    # Values that the converter cannot take from the configuration: a head's width and the epsilon.
    "chatglm": Case("glm", {**DECODER, "head_dim": 8, "rms_norm_eps": 1e-5}, "GlmForCausalLM"),
    "ernie4_5": Case("ernie4_5", {**DECODER, "head_dim": 12}, "Ernie4_5ForCausalLM"),
    "seed_oss": Case("seed_oss", {**DECODER, "head_dim": 12}, "SeedOssForCausalLM"),
    "hunyuan-dense": Case("hunyuan_v1_dense", {**DECODER, "head_dim": 8}, "HunYuanDenseV1ForCausalLM"),
    "hunyuan-dense-alpha": Case(
        "hunyuan_v1_dense",
        {**DECODER, "head_dim": 8, "max_position_embeddings": 32768, "rope_parameters": ALPHA},
        "HunYuanDenseV1ForCausalLM",
        n=24,
    ),
    "smollm3": Case("smollm3", {**DECODER, "num_hidden_layers": 5}, "SmolLM3ForCausalLM"),
    "command-r": Case("cohere", DECODER, "CohereForCausalLM"),
    "command-r-norms": Case("cohere", {**DECODER, "use_qk_norm": True}, "CohereForCausalLM"),
    "gpt-oss": Case(
        "gpt_oss",
        {
            **DECODER,
            "head_dim": 8,
            "num_hidden_layers": 3,
            "num_local_experts": 3,
            "num_experts_per_tok": 2,
            "sliding_window": 5,
        },
        "GptOssForCausalLM",
    ),
    "qwen2moe": Case(
        "qwen2_moe",
        {**DECODER, **EXPERTS, "num_experts": 3, "shared_expert_intermediate_size": 10},
        "Qwen2MoeForCausalLM",
    ),
    "qwen3moe": Case(
        "qwen3_moe",
        {**DECODER, **EXPERTS, "num_experts": 4, "head_dim": 12, "norm_topk_prob": True},
        "Qwen3MoeForCausalLM",
    ),
    "olmoe": Case("olmoe", {**DECODER, "num_experts": 3, "num_experts_per_tok": 2}, "OlmoeForCausalLM"),
    "granitemoe": Case(
        "granitemoe",
        {
            **DECODER,
            "num_local_experts": 3,
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
        },
        "GraniteMoeForCausalLM",
    ),
    "phimoe": Case(
        "phimoe",
        {**DECODER, "num_local_experts": 3, "attention_bias": True},
        "PhiMoEForCausalLM",
        late={"original_max_position_embeddings": 64},
    ),
    "glm4moe": Case(
        "glm4_moe",
        {
            **DECODER,
            **EXPERTS,
            "num_hidden_layers": 3,
            "head_dim": 12,
            "n_routed_experts": 4,
            "n_group": 2,
            "topk_group": 1,
            "routed_scaling_factor": 1.5,
            "attention_bias": True,
            "use_qk_norm": True,
            "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.5},
        },
        "Glm4MoeForCausalLM",
    ),
    "deepseek2": Case("deepseek_v2", {**LATENT, "q_lora_rank": None, "n_routed_experts": 3}, "DeepseekV2ForCausalLM"),
    "deepseek2-groups": Case(
        "deepseek_v2",
        {
            **LATENT,
            "n_routed_experts": 6,
            "n_group": 3,
            "topk_group": 2,
            "topk_method": "group_limited_greedy",
            "routed_scaling_factor": 3.0,
            "rope_parameters": {**YARN, "mscale": 0.707, "mscale_all_dim": 0.707},
        },
        "DeepseekV2ForCausalLM",
        n=20,
        late={"scoring_func": "softmax"},
    ),
    "deepseek2-sigmoid": Case(
        "deepseek_v3",
        {
            **LATENT,
            "n_routed_experts": 6,
            "n_group": 3,
            "topk_group": 2,
            "rope_parameters": {**YARN, "mscale": 1.0, "mscale_all_dim": 1.0},
        },
        "DeepseekV3ForCausalLM",
        n=20,
        late={"scoring_func": "sigmoid"},
    ),
    "bert": Case("bert", {**SIZES, "num_hidden_layers": 2, "max_position_embeddings": 24}, "BertModel", ""),
    "roberta": Case("roberta", {**SIZES, "num_hidden_layers": 2, "max_position_embeddings": 24}, "RobertaModel", ""),
    "distilbert": Case(
        "distilbert",
        {"vocab_size": 40, "dim": 16, "n_heads": 2, "n_layers": 2, "hidden_dim": 16, "max_position_embeddings": 24},
        "DistilBertModel",
        "",
    ),
    "modern-bert": Case(
        "modernbert",
        {**SIZES, "num_hidden_layers": 4, "global_attn_every_n_layers": 3, "local_attention": 6},
        "ModernBertModel",
        "",
    ),
    "nomic-bert": Case(
        "nomic_bert",
        {**SIZES, "num_hidden_layers": 2, "rope_parameters": {**PLAIN, "rope_theta": 50.0}},
        "NomicBertModel",
        "",
        late=NOMIC,
    ),
    "eurobert": Case("eurobert", {**DECODER, **EUROBERT}, "EuroBertModel", ""),
    "t5": Case(
        "t5",
        {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2, "num_layers": 2},
        "T5ForConditionalGeneration",
        "",
        late={"decoder_start_token_id": 0},
    ),
    "t5-gated": Case(
        "t5",
        {
            "vocab_size": 40,
            "d_model": 16,
            "d_kv": 8,
            "d_ff": 16,
            "num_heads": 2,
            "num_layers": 2,
            "feed_forward_proj": "gated-gelu",
        },
        "T5ForConditionalGeneration",
        "",
        late={"decoder_start_token_id": 0},
    ),
    "t5-by-layer": Case("umt5", T5, "UMT5ForConditionalGeneration", "", late={"decoder_start_token_id": 0}),
    "t5-mt5": Case("mt5", T5, "MT5ForConditionalGeneration", "", late={"decoder_start_token_id": 0}),
    "t5encoder": Case("t5", T5, "T5EncoderModel", "", model="T5EncoderModel"),
    "t5encoder-by-layer": Case("umt5", T5, "T5EncoderModel", "", model="UMT5EncoderModel"),
    "starcoder": Case(
        "gpt_bigcode",
        {"vocab_size": 40, "n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 24},
        "GPTBigCodeForCausalLM",
        "transformer.",
    ),
    "qwen3-q8_0": Case(
        "qwen3",
        {**DECODER, "hidden_size": 32, "intermediate_size": 32, "head_dim": 16},
        "Qwen3ForCausalLM",
        outtype="MOSTLY_Q8_0",
    ),
}
# Keys that transformers fills in for every model, with ids beyond a vocabulary of 40.
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def made(case: Case, folder: Path) -> dict[str, Any]:
    """Draw the weights, save the model in the Hub's form, and run it: ids and attention by stream."""
    import numpy as np
    import reference_core as core
    import torch
    import transformers
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(case.model_type, **{**SPECIAL, **case.config})
    config._attn_implementation = config._experts_implementation = "eager"
    model = (getattr(transformers, case.model)(config) if case.model else AutoModel.from_config(config)).eval()
    core.draw_weights(model, seed=7)
    if case.outtype != "ALL_F32":
        _round_to_q8_0(model)
    model.save_pretrained(folder)
    inputs = {"input_ids": np.random.RandomState(3).randint(3, 40, case.n)}
    if case.model_type in ("t5", "mt5", "umt5") and not case.model:
        inputs["decoder_input_ids"] = np.array([0, 9, 30, 4, 17])
    single = core.run(model, inputs)
    double = core.run(model.double(), inputs, torch.float64)
    return {**inputs, **single, "float32_difference": np.array(core.largest_difference(single, double))}


def _round_to_q8_0(model: Any) -> None:
    """Round matrices to numbers that blocks of 8 bits hold exactly, so that the file is exact."""
    import torch
    from gguf import GGMLQuantizationType, quants

    kind = GGMLQuantizationType.Q8_0
    for parameter in model.parameters():
        if parameter.ndim == 2:
            rounded = quants.dequantize(quants.quantize(parameter.detach().numpy(), kind), kind)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(rounded))


def with_head(case: Case, folder: Path) -> None:
    """Rename the saved tensors to names of a model with a head, which the converter reads."""
    from safetensors.torch import load_file, save_file

    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": [case.head], **case.late}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {case.prefix + name: tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    if case.model_type == "mixtral":
        tensors = _apart(tensors)
    save_file(tensors, folder / "model.safetensors")
    # Some converters count its tokens.
    vocabulary = {f"t{i}": i for i in range(40)}
    model = {"type": "WordPiece", "vocab": vocabulary}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": []}))


def _apart(tensors: dict[str, Any]) -> dict[str, Any]:
    """Store experts one by one, as in published Mixtral files."""
    found = {}
    for name, tensor in tensors.items():
        front, _, part = name.partition(".mlp.")
        old = f"{front}.block_sparse_moe."
        if part == "experts.gate_up_proj":
            half = tensor.shape[1] // 2
            for e in range(len(tensor)):
                found[f"{old}experts.{e}.w1.weight"] = tensor[e, :half].contiguous()
                found[f"{old}experts.{e}.w3.weight"] = tensor[e, half:].contiguous()
        elif part == "experts.down_proj":
            found |= {f"{old}experts.{e}.w2.weight": tensor[e].contiguous() for e in range(len(tensor))}
        else:
            found[f"{old}gate.weight" if part == "gate.weight" else name] = tensor
    return found


def convert(case: Case, folder: Path, output: Path, get_class: Callable[[str], Any]) -> None:
    """Run llama.cpp's conversion, without a vocabulary."""
    import gguf
    import torch

    base = get_class(case.head)

    class WithoutVocabulary(base):  # type: ignore[misc, valid-type]
        model_arch = base.model_arch

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.hparams.update(case.late)

        def set_vocab(self) -> None:
            self._set_vocab_none()

    kind = gguf.LlamaFileType[case.outtype]
    with torch.inference_mode():
        WithoutVocabulary(folder, kind, output, model_name=output.stem, fuse_qkv=case.fuse_qkv).write()


def main() -> None:
    """Make the named cases, or all."""
    checkout = Path(sys.argv[1])
    sys.path[:0] = [str(checkout / "gguf-py"), str(checkout)]
    import numpy as np
    from conversion import get_model_class

    logging.disable(logging.CRITICAL)
    OUTPUT.mkdir(exist_ok=True)
    for name in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            arrays = made(CASES[name], Path(folder))
            with_head(CASES[name], Path(folder))
            convert(CASES[name], Path(folder), OUTPUT / f"{name}.gguf", get_model_class)
        np.savez_compressed(OUTPUT / f"{name}.npz", **arrays)
        print(f"{name}: {(OUTPUT / f'{name}.gguf').stat().st_size:,} bytes, {float(arrays['float32_difference']):.1g}")


if __name__ == "__main__":
    main()
