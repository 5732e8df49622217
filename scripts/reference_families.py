"""The families attnviz knows, as tables: model_type, the input it takes, and a tiny configuration.

To add a family: one line in FAMILIES. `make_reference.py FAMILY` then makes its case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VOCABULARY = 67
FIRST_PLAIN_ID = 6  # smaller ids are special tokens in some families

_GRID = {"vocab_size": VOCABULARY, "max_position_embeddings": 64}
_WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_BERT = {**_WIDE, **_GRID}
_GROUPED = {**_BERT, "num_key_value_heads": 2}
_WINDOW_THEN_FULL = {"sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]}
_LATENT = {
    **_BERT,
    "num_key_value_heads": 4,
    "q_lora_rank": 20,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "moe_intermediate_size": 24,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "vocab_size": VOCABULARY}
_SEQ2SEQ = {
    **_GRID,
    "d_model": 32,
    **{
        f"{side}_{name}": n
        for side in ("encoder", "decoder")
        for name, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 64))
    },
}
_T5 = {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_SOUND = {
    **_WIDE,
    "conv_dim": [16, 16],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
_IMAGE = {**_WIDE, "image_size": 32, "patch_size": 8, "num_channels": 3}

_MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}}
_QWEN_VISION = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}


@dataclass(frozen=True)
class Family:
    """A family's tiny case: transformers' model type, its kind of input, its configuration."""

    model_type: str
    reads: str = "ids"  # ids | types (ids and token types) | pair (ids and target ids) | image | audio | mel
    config: dict[str, Any] = field(default_factory=dict)


def _text(model_type: str, base: dict[str, Any], **more: Any) -> Family:
    return Family(model_type, "ids", {**base, **more})


FAMILIES: dict[str, Family] = {
    # encoders
    "bert": Family("bert", "types", _BERT),
    "roberta": _text("roberta", _BERT),
    "distilbert": _text("distilbert", _GRID, dim=32, n_layers=2, n_heads=4, hidden_dim=64),
    "electra": _text("electra", _BERT, embedding_size=16),
    "albert": _text("albert", _BERT, embedding_size=16),
    "mpnet": _text("mpnet", _BERT),
    "deberta_v2": _text(
        "deberta-v2",
        _BERT,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
    ),
    "modernbert": _text(
        "modernbert",
        _BERT,
        local_attention=8,
        global_attn_every_n_layers=2,
        pad_token_id=0,
        bos_token_id=1,
        cls_token_id=1,
        eos_token_id=2,
        sep_token_id=2,
    ),
    "esm": _text(
        "esm",
        _BERT,
        position_embedding_type="rotary",
        pad_token_id=1,
        mask_token_id=3,
        emb_layer_norm_before=False,
    ),
    "xlnet": _text("xlnet", {}, vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=64),
    "longformer": _text("longformer", _BERT, attention_window=[8, 8]),
    "big_bird": _text("big_bird", _BERT, attention_type="original_full"),
    "deberta": _text("deberta", _BERT, relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "ernie": Family("ernie", "types", _BERT),
    "megatron_bert": Family("megatron-bert", "types", _BERT),
    "roformer": Family("roformer", "types", _BERT),
    "rembert": Family("rembert", "types", {**_BERT, "input_embedding_size": 16, "output_embedding_size": 20}),
    "data2vec_text": _text("data2vec-text", _BERT),
    "xlm": _text("xlm", _GRID, emb_dim=32, n_layers=2, n_heads=4),
    "flaubert": _text("flaubert", _GRID, emb_dim=32, n_layers=2, n_heads=4),
    "nomic_bert": Family("nomic_bert", "types", _BERT),
    "eurobert": _text("eurobert", _GROUPED, pad_token_id=0),
    "splinter": _text("splinter", _BERT),
    "bert_generation": _text("bert-generation", _BERT),
    "xlm_roberta_xl": _text("xlm-roberta-xl", _BERT),
    "roberta_prelayernorm": _text("roberta-prelayernorm", _BERT),
    # decoders
    "gpt2": _text("gpt2", _GPT),
    "openai_gpt": _text("openai-gpt", _GPT),
    "gpt_neo": _text(
        "gpt_neo",
        _GRID,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        intermediate_size=64,
        attention_types=[[["global", "local"], 1]],
        window_size=5,
    ),
    "gpt_neox": _text("gpt_neox", _BERT),
    "gptj": _text("gptj", _GPT, rotary_dim=4),
    "gpt_bigcode": _text("gpt_bigcode", _GPT),
    "codegen": _text("codegen", {**_GPT, "n_ctx": 64}, rotary_dim=4),
    "xglm": _text("xglm", _GRID, d_model=32, num_layers=2, attention_heads=4, ffn_dim=64),
    "biogpt": _text("biogpt", _BERT),
    "opt": _text("opt", _GRID, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64),
    "bloom": _text("bloom", {}, hidden_size=32, n_layer=2, n_head=4, vocab_size=VOCABULARY),
    "mpt": _text("mpt", {}, d_model=32, n_layers=2, n_heads=4, max_seq_len=64, vocab_size=VOCABULARY),
    "falcon": _text("falcon", {}, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=VOCABULARY),
    "llama": _text("llama", _GROUPED),
    "mistral": _text("mistral", _GROUPED, head_dim=8, sliding_window=5),
    "qwen2": _text("qwen2", _GROUPED),
    "qwen3": _text("qwen3", _GROUPED, head_dim=16),
    "gemma": _text("gemma", _GROUPED, head_dim=16),
    "gemma2": _text(
        "gemma2",
        _GROUPED,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=5,
        attn_logit_softcapping=20.0,
    ),
    "gemma3_text": _text("gemma3_text", _GROUPED, head_dim=16, query_pre_attn_scalar=16, sliding_window=5),
    "phi": _text("phi", _BERT),
    "phi3": _text("phi3", _GROUPED, pad_token_id=0),
    "stablelm": _text("stablelm", _GROUPED, partial_rotary_factor=0.5),
    "starcoder2": _text("starcoder2", _GROUPED),
    "nemotron": _text("nemotron", _GROUPED),
    "olmo": _text("olmo", _GROUPED, clip_qkv=2.0),
    "olmo2": _text("olmo2", _GROUPED),
    "smollm3": _text("smollm3", _GROUPED, no_rope_layers=[1, 0], pad_token_id=0),
    "cohere": _text("cohere", _GROUPED),
    "cohere2": _text("cohere2", _GROUPED, head_dim=8, **_WINDOW_THEN_FULL),
    "olmo3": _text("olmo3", _GROUPED, **_WINDOW_THEN_FULL),
    "exaone4": _text("exaone4", _GROUPED, **_WINDOW_THEN_FULL),
    "glm": _text("glm", _GROUPED, head_dim=8, pad_token_id=0),
    "glm4": _text("glm4", _GROUPED, head_dim=8, pad_token_id=0),
    "granite": _text(
        "granite",
        _GROUPED,
        embedding_multiplier=3.0,
        attention_multiplier=0.2,
        residual_multiplier=0.4,
        logits_scaling=2.0,
    ),
    "granitemoehybrid": _text(
        "granitemoehybrid",
        _GROUPED,
        layer_types=["full_attention"] * 2,
        num_local_experts=0,
        num_experts_per_tok=0,
        shared_intermediate_size=64,
        position_embedding_type="rope",
        mamba_n_heads=8,
        embedding_multiplier=3.0,
        attention_multiplier=0.2,
        residual_multiplier=0.4,
        logits_scaling=2.0,
    ),
    "ernie4_5": _text("ernie4_5", _GROUPED, head_dim=16),
    "seed_oss": _text("seed_oss", _GROUPED, head_dim=16),
    "hunyuan_v1_dense": _text("hunyuan_v1_dense", _GROUPED, head_dim=16),
    "helium": _text("helium", _GROUPED, head_dim=8),
    "mixtral": _text("mixtral", _GROUPED, num_local_experts=4),
    "qwen2_moe": _text(
        "qwen2_moe",
        _GROUPED,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=24,
        shared_expert_intermediate_size=40,
    ),
    "qwen3_moe": _text(
        "qwen3_moe", _GROUPED, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24
    ),
    "olmoe": _text("olmoe", _GROUPED, num_experts=4, num_experts_per_tok=2),
    "granitemoe": _text(
        "granitemoe",
        _GROUPED,
        num_local_experts=4,
        num_experts_per_tok=2,
        attention_multiplier=0.25,
        embedding_multiplier=2.0,
        residual_multiplier=0.5,
    ),
    "phimoe": _text("phimoe", _GROUPED, num_local_experts=4, attention_bias=True, lm_head_bias=True),
    "glm4_moe": _text(
        "glm4_moe",
        _GROUPED,
        head_dim=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=24,
        pad_token_id=0,
    ),
    "deepseek_v2": _text(
        "deepseek_v2",
        _LATENT,
        n_routed_experts=4,
        n_group=1,
        topk_group=1,
        topk_method="greedy",
    ),
    "deepseek_v3": _text("deepseek_v3", _LATENT, n_routed_experts=8, n_group=2, topk_group=1),
    "gpt_oss": _text("gpt_oss", _GROUPED, head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=5),
    # encoder-decoders
    "t5": Family("t5", "pair", _T5),
    "mt5": Family("mt5", "pair", _T5),
    "umt5": Family("umt5", "pair", _T5),
    "bart": Family("bart", "pair", _SEQ2SEQ),
    "blenderbot": Family("blenderbot", "pair", _SEQ2SEQ),
    "blenderbot_small": Family("blenderbot-small", "pair", _SEQ2SEQ),
    "led": Family(
        "led",
        "pair",
        {
            **{key: value for key, value in _SEQ2SEQ.items() if key != "max_position_embeddings"},
            "attention_window": [8, 8],
            "max_encoder_position_embeddings": 64,
            "max_decoder_position_embeddings": 64,
        },
    ),
    "bigbird_pegasus": Family("bigbird_pegasus", "pair", {**_SEQ2SEQ, "block_size": 4, "num_random_blocks": 1}),
    "m2m_100": Family("m2m_100", "pair", _SEQ2SEQ),
    "pegasus": Family("pegasus", "pair", _SEQ2SEQ),
    "marian": Family("marian", "pair", {**_SEQ2SEQ, "pad_token_id": 0, "decoder_start_token_id": 0}),
    "mbart": Family("mbart", "pair", _SEQ2SEQ),
    "whisper": Family(
        "whisper",
        "mel",
        {
            **{key: value for key, value in _SEQ2SEQ.items() if key != "max_position_embeddings"},
            "num_mel_bins": 8,
            "max_source_positions": 16,
            "max_target_positions": 32,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
    ),
    "encoder_decoder": Family(
        "encoder-decoder",
        "pair",
        {
            "encoder": {**_BERT, "model_type": "bert"},
            "decoder": {**_BERT, "model_type": "bert", "is_decoder": True, "add_cross_attention": True},
        },
    ),
    # images and sound
    "vit": Family("vit", "image", _IMAGE),
    "deit": Family("deit", "image", _IMAGE),
    "vit_msn": Family("vit_msn", "image", _IMAGE),
    "dinov2": Family(
        "dinov2",
        "image",
        {key: value for key, value in _IMAGE.items() if key != "intermediate_size"} | {"mlp_ratio": 2},
    ),
    "clip_text": _text("clip_text_model", _BERT, bos_token_id=0, eos_token_id=66),
    "clip_vision": Family("clip_vision_model", "image", _IMAGE),
    "clip": Family(
        "clip", "ids", {"text_config": {**_BERT, "bos_token_id": 0, "eos_token_id": 66}, "vision_config": _IMAGE}
    ),
    # language models inside models that read images
    "llava": _text(
        "llava",
        {},
        text_config={"model_type": "llama", **_GROUPED},
        vision_config={"model_type": "clip_vision_model", **_IMAGE},
    ),
    "gemma3": _text(
        "gemma3",
        {},
        text_config={**_GROUPED, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 5},
        vision_config={"model_type": "siglip_vision_model", **_IMAGE},
    ),
    "mistral3": _text(
        "mistral3",
        {},
        text_config={"model_type": "mistral", **_GROUPED, "head_dim": 8, "sliding_window": 5},
        vision_config={"model_type": "pixtral", **_IMAGE},
    ),
    "qwen2_vl": _text("qwen2_vl", {}, text_config={**_GROUPED, **_MROPE}, vision_config=_QWEN_VISION),
    "qwen2_5_vl": _text(
        "qwen2_5_vl",
        {},
        text_config={**_GROUPED, **_MROPE},
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 32,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
    ),
    "siglip_text_model": _text("siglip_text_model", _BERT),
    "siglip_vision_model": Family("siglip_vision_model", "image", _IMAGE),
    "siglip": Family("siglip", "ids", {"text_config": _BERT, "vision_config": _IMAGE}),
    "dinov2_with_registers": Family(
        "dinov2_with_registers",
        "image",
        {key: value for key, value in _IMAGE.items() if key != "intermediate_size"} | {"mlp_ratio": 2},
    ),
    "dinov3_vit": Family("dinov3_vit", "image", {**_IMAGE, "hidden_size": 64, "num_register_tokens": 4}),
    "beit": Family("beit", "image", {**_IMAGE, "vocab_size": VOCABULARY, "use_relative_position_bias": True}),
    "data2vec_vision": Family("data2vec-vision", "image", {**_IMAGE, "use_relative_position_bias": True}),
    "wav2vec2": Family("wav2vec2", "audio", {**_SOUND, "vocab_size": VOCABULARY}),
    "unispeech": Family("unispeech", "audio", _SOUND),
    "unispeech_sat": Family("unispeech-sat", "audio", _SOUND),
    "hubert": Family("hubert", "audio", _SOUND),
    "wavlm": Family("wavlm", "audio", {**_SOUND, "num_buckets": 16, "max_bucket_distance": 20}),
    "data2vec_audio": Family(
        "data2vec-audio", "audio", {**_SOUND, "num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}
    ),
}
