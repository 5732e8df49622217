"""Tensor names of older files: today's tensors renamed, family by family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Tensors = dict[str, np.ndarray]


def _gamma_beta(tensors: Tensors) -> Tensors:
    """BERT as its first files have it: gamma and beta, position ids as a buffer."""
    out = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
        for name, array in tensors.items()
    }
    prefix = next((name[: name.index("embeddings.")] for name in out if "embeddings." in name), "")
    out[f"{prefix}embeddings.position_ids"] = np.arange(64, dtype=np.int64)[None]
    return out


def _position_ids(tensors: Tensors) -> Tensors:
    """An `embeddings.position_ids` buffer."""
    prefix = next(name[: name.index("embeddings.")] for name in tensors if "embeddings." in name)
    return {**tensors, f"{prefix}embeddings.position_ids": np.arange(64, dtype=np.int64)[None]}


def _top_position_ids(tensors: Tensors) -> Tensors:
    """A `position_ids` buffer."""
    return {**tensors, "position_ids": np.arange(64, dtype=np.int64)[None]}


def _causal_buffers(inner: str, block: str, masked: bool = True) -> Callable[[Tensors], Tensors]:
    """The causal mask as a buffer in every block."""

    def respell(tensors: Tensors) -> Tensors:
        out = dict(tensors)
        for name in tensors:
            head, found, _ = name.partition(block)
            if found and name.endswith("weight"):
                out[f"{head}{inner}.bias"] = np.tril(np.ones((64, 64), np.uint8))[None, None]
                if masked:
                    out[f"{head}{inner}.masked_bias"] = np.array(-1e9, np.float32)
        return out

    return respell


def _inverse_frequencies(inner: str, block: str, half: int) -> Callable[[Tensors], Tensors]:
    """Rotary frequencies as a buffer in every block."""

    def respell(tensors: Tensors) -> Tensors:
        out = dict(tensors)
        for name in tensors:
            head, found, _ = name.partition(block)
            if found and name.endswith("weight"):
                steps = np.arange(half, dtype=np.float32)
                out[f"{head}{inner}.inv_freq"] = (10000.0 ** (-steps / half)).astype(np.float32)
        return out

    return respell


def _weight_norm(tensors: Tensors) -> Tensors:
    """weight_g and weight_v for today's parametrizations."""
    return {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): array
        for name, array in tensors.items()
    }


def _offset_indices(tensors: Tensors) -> Tensors:
    """BEiT's index of offsets as a buffer beside every table."""
    out = dict(tensors)
    for name in tensors:
        if name.endswith("relative_position_bias_table"):
            out[name.replace("_bias_table", "_index")] = np.zeros((17, 17), np.int64)
    return out


def _siglip_ids(prefix: str) -> Callable[[Tensors], Tensors]:
    """A tower's prefix, and position ids as a buffer."""

    def respell(tensors: Tensors) -> Tensors:
        n = len(tensors["embeddings.position_embedding.weight"])
        out = _prefixed(prefix)(tensors)
        return {**out, f"{prefix}embeddings.position_ids": np.arange(n, dtype=np.int64)[None]}

    return respell


def _repeated_embeddings(tensors: Tensors) -> Tensors:
    """Shared embeddings stored once more for each side."""
    prefix = "model." if "model.shared.weight" in tensors else ""
    shared = tensors[f"{prefix}shared.weight"]
    return {
        **tensors,
        f"{prefix}encoder.embed_tokens.weight": shared,
        f"{prefix}decoder.embed_tokens.weight": shared.copy(),
    }


def _stale_bias(tensors: Tensors) -> Tensors:
    """T5 as published: repeated embeddings, and a relative bias in cross-attention that is never read."""
    out = _repeated_embeddings(tensors)
    bias = tensors["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    return {**out, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": bias + 1}


def _unprefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    """Without the model's prefix."""
    return lambda tensors: {name.removeprefix(prefix): array for name, array in tensors.items()}


def _prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    """With a prefix before every name."""
    return lambda tensors: {prefix + name: array for name, array in tensors.items()}


def _position_tables(tensors: Tensors) -> Tensors:
    """Fixed position tables stored as Marian's and Pegasus's published files do."""
    return _repeated_embeddings(tensors)


def _predicted_ahead(tensors: Tensors) -> Tensors:
    """A layer after the last that predicts one more token, with its own embeddings and head."""
    out = dict(tensors)
    front = "model." if "model.norm.weight" in tensors else ""
    top = max(int(name.removeprefix(front).split(".")[1]) for name in tensors if name.startswith(f"{front}layers."))
    last, new = f"{front}layers.{top}.", f"{front}layers.{top + 1}."
    out.update({new + name.removeprefix(last): t.copy() for name, t in tensors.items() if name.startswith(last)})
    embeddings, norm = tensors[f"{front}embed_tokens.weight"], tensors[f"{front}norm.weight"]
    out.update({f"{new}embed_tokens.weight": embeddings + 1, f"{new}shared_head.head.weight": embeddings - 1})
    out.update({f"{new}{name}.weight": norm + 1 for name in ("enorm", "hnorm", "shared_head.norm")})
    return {**out, f"{new}eh_proj.weight": np.ones((len(norm), 2 * len(norm)), np.float32)}


OLD: dict[str, list[tuple[str, Callable[[Tensors], Tensors]]]] = {
    "bert": [("old", _gamma_beta), ("bare_ids", _position_ids)],
    "bert__masked_lm": [("old", _gamma_beta)],
    "roberta__masked_lm": [("old", _position_ids)],
    "electra": [("old", _position_ids), ("prefixed", _prefixed("electra."))],
    "albert": [("old", _gamma_beta), ("prefixed", _prefixed("albert."))],
    "distilbert": [("prefixed", _prefixed("distilbert."))],
    "mpnet": [("old", _position_ids)],
    "deberta_v2": [("old", _position_ids), ("prefixed", _prefixed("deberta."))],
    "deberta": [("old", _gamma_beta), ("prefixed", _prefixed("deberta."))],
    "ernie": [("old", _gamma_beta), ("prefixed", _prefixed("ernie."))],
    "megatron_bert": [("old", _position_ids), ("prefixed", _prefixed("bert."))],
    "roformer": [("prefixed", _prefixed("roformer."))],
    "rembert": [("old", _position_ids), ("prefixed", _prefixed("rembert."))],
    "data2vec_text": [("old", _position_ids), ("prefixed", _prefixed("data2vec_text."))],
    "xlm": [("old", _top_position_ids), ("prefixed", _prefixed("transformer."))],
    "flaubert": [("old", _top_position_ids), ("prefixed", _prefixed("transformer."))],
    "eurobert": [("prefixed", _prefixed("model."))],
    "xlm_roberta_xl": [("old", _position_ids), ("prefixed", _prefixed("roberta."))],
    "roberta_prelayernorm": [("old", _position_ids), ("prefixed", _prefixed("roberta_prelayernorm."))],
    "bert_generation": [("prefixed", _prefixed("bert."))],
    "longformer": [("old", _position_ids), ("prefixed", _prefixed("longformer."))],
    "esm": [("old", _inverse_frequencies("attention.self.rotary_embeddings", "attention.self.query", 4))],
    "gpt2": [("old", _causal_buffers("attn", "attn.c_attn", masked=False)), ("prefixed", _prefixed("transformer."))],
    "gpt2__lm_head": [("bare", _unprefixed("transformer.")), ("old", _causal_buffers("attn", "attn.c_attn"))],
    "openai_gpt": [("old", _causal_buffers("attn", "attn.c_attn", masked=False))],
    "gpt_neo": [("old", _causal_buffers("attn.attention", "attn.attention.q_proj"))],
    "gptj": [("old", _causal_buffers("attn", "attn.q_proj"))],
    "gpt_neox": [
        (
            "old",
            lambda t: _inverse_frequencies("attention.rotary_emb", "attention.query_key_value", 1)(
                _causal_buffers("attention", "attention.query_key_value")(t)
            ),
        )
    ],
    "llama": [
        ("old", _inverse_frequencies("self_attn.rotary_emb", "self_attn.q_proj", 4)),
        ("prefixed", _prefixed("model.")),
    ],
    **{
        family: [("prefixed", _prefixed("model."))]
        for family in ("qwen2_moe", "qwen3_moe", "granitemoe", "olmoe", "phimoe")
    },
    "deepseek_v2": [
        ("old", _inverse_frequencies("self_attn.rotary_emb", "self_attn.kv_b_proj", 2)),
        ("prefixed", _prefixed("model.")),
    ],
    "deepseek_v3": [("old", _predicted_ahead), ("prefixed", _prefixed("model."))],
    "glm4_moe": [("old", _predicted_ahead), ("prefixed", _prefixed("model."))],
    "falcon": [("prefixed", _prefixed("transformer."))],
    "bloom": [("prefixed", _prefixed("transformer."))],
    "opt": [("prefixed", _prefixed("model."))],
    "t5": [("old", _stale_bias)],
    "bart": [("old", _repeated_embeddings), ("prefixed", _prefixed("model."))],
    "mbart": [("old", _repeated_embeddings)],
    "pegasus": [("old", _repeated_embeddings)],
    "marian": [("old", _repeated_embeddings)],
    "wav2vec2": [("old", _weight_norm), ("prefixed", _prefixed("wav2vec2."))],
    "hubert": [("old", _weight_norm), ("prefixed", _prefixed("hubert."))],
    "wavlm": [("old", _weight_norm), ("prefixed", _prefixed("wavlm."))],
    "data2vec_audio": [("prefixed", _prefixed("data2vec_audio."))],
    "beit": [("old", _offset_indices), ("prefixed", _prefixed("beit."))],
    "dinov2_with_registers": [("prefixed", _prefixed("dinov2_with_registers."))],
    "vit_msn": [("prefixed", _prefixed("vit."))],
    "siglip_text_model": [("old", _prefixed("text_model.")), ("old_ids", _siglip_ids("text_model."))],
    "siglip_vision_model": [("old", _prefixed("vision_model.")), ("old_ids", _siglip_ids("vision_model."))],
    "vit": [("prefixed", _prefixed("vit."))],
    "deit": [("prefixed", _prefixed("deit."))],
    "dinov2": [("prefixed", _prefixed("dinov2."))],
    "clip_text": [("prefixed", _prefixed("text_model."))],
    "clip_vision": [("prefixed", _prefixed("vision_model."))],
}
