"""Llama-shaped models of random weights, larger than the reference checkpoints: safetensors folders and GGUF files."""

from __future__ import annotations

import json

import gguf
import ml_dtypes
import numpy as np
from helpers.quantised_files import blocks, finish
from safetensors.numpy import save_file

VOCAB, HEADS = 300, 8


def shapes(layers: int, d_model: int, d_mlp: int) -> dict[str, tuple[int, int]]:
    """The matrices of all layers, by their names in safetensors."""
    square, wide, narrow = (d_model, d_model), (d_mlp, d_model), (d_model, d_mlp)
    one = {f"self_attn.{x}_proj": square for x in "qkvo"}
    one |= {"mlp.gate_proj": wide, "mlp.up_proj": wide, "mlp.down_proj": narrow}
    return {f"layers.{i}.{name}.weight": shape for i in range(layers) for name, shape in one.items()}


def folder(path, layers=4, d_model=512, d_mlp=2048, dtype=ml_dtypes.bfloat16):
    """A folder with config.json and model.safetensors. Returns the numbers in its matrices."""
    rng = np.random.default_rng(0)
    config = {
        "model_type": "llama",
        "architectures": ["LlamaModel"],
        "hidden_size": d_model,
        "intermediate_size": d_mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": 1e-6,
        "vocab_size": VOCAB,
        "max_position_embeddings": 4096,
        "hidden_act": "silu",
    }
    (path / "config.json").write_text(json.dumps(config))
    matrices = shapes(layers, d_model, d_mlp)
    tensors = {name: (rng.standard_normal(shape, np.float32) / shape[1] ** 0.5) for name, shape in matrices.items()}
    tensors["embed_tokens.weight"] = rng.standard_normal((VOCAB, d_model), np.float32)
    for i in range(layers):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"layers.{i}.{norm}.weight"] = np.ones(d_model, np.float32)
    tensors["norm.weight"] = np.ones(d_model, np.float32)
    save_file({name: values.astype(dtype) for name, values in tensors.items()}, path / "model.safetensors")
    return sum(rows * columns for rows, columns in matrices.values())


def gguf_file(path, layers=4, d_model=512, d_mlp=2048, dtype="Q4_0"):
    """A GGUF file without a tokenizer, its matrices and tables in blocks."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(d_model)
    writer.add_feed_forward_length(d_mlp)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(d_model // HEADS)
    writer.add_vocab_size(VOCAB)
    kind = gguf.GGMLQuantizationType[dtype]
    parts = {"attn_q": (d_model, d_model), "attn_k": (d_model, d_model), "attn_v": (d_model, d_model)}
    parts |= {"attn_output": (d_model, d_model), "ffn_gate": (d_mlp, d_model), "ffn_up": (d_mlp, d_model)}
    parts |= {"ffn_down": (d_model, d_mlp)}
    for i in range(layers):
        for at, (name, shape) in enumerate(parts.items()):
            writer.add_tensor(f"blk.{i}.{name}.weight", blocks(dtype, shape, seed=10 * i + at), raw_dtype=kind)
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{name}.weight", np.ones(d_model, np.float32))
    for name in ("token_embd", "output"):
        writer.add_tensor(f"{name}.weight", blocks(dtype, (VOCAB, d_model)), raw_dtype=kind)
    writer.add_tensor("output_norm.weight", np.ones(d_model, np.float32))
    finish(writer)
