"""Configurations of published models of images and sound, and what attnviz reads from each, without weights."""

from __future__ import annotations

from typing import Any

import pytest

import attnviz
from attnviz.errors import AttnvizError

# Keys that old releases of the reference wrote into every part of a configuration.
DUMPED = {
    "add_cross_attention": False,
    "architectures": None,
    "bad_words_ids": None,
    "chunk_size_feed_forward": 0,
    "do_sample": False,
    "dropout": 0.0,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "initializer_factor": 1.0,
    "is_decoder": False,
    "is_encoder_decoder": False,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "max_length": 20,
    "num_beams": 1,
    "output_attentions": False,
    "prefix": None,
    "pruned_heads": {},
    "return_dict": True,
    "tie_word_embeddings": True,
    "top_k": 50,
    "torchscript": False,
    "transformers_version": "4.16.0.dev0",
    "typical_p": 1.0,
    "use_bfloat16": False,
}
CLIP_TEXT = {"hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 12, "projection_dim": 512}
CLIP_IMAGE = {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14}
SIGLIP_PART = {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27}
CONVOLUTIONS = {"conv_dim": [512] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]}
SPEECH: dict[str, Any] = {
    **CONVOLUTIONS,
    "apply_spec_augment": True,
    "classifier_proj_size": 256,
    "ctc_loss_reduction": "sum",
    "feat_extract_dropout": 0.0,
    "gradient_checkpointing": False,
    "mask_channel_length": 10,
    "mask_channel_selection": "static",
    "mask_time_prob": 0.05,
    "num_feat_extract_layers": 7,
    "tokenizer_class": "Wav2Vec2CTCTokenizer",
    "vocab_size": 32,
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "clip base, a full dump of both towers": {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "logit_scale_init_value": 2.6592,
        "text_config": {**DUMPED, **CLIP_TEXT, "model_type": "clip_text_model", "eos_token_id": 2},
        "text_config_dict": None,
        "vision_config": {**DUMPED, "model_type": "clip_vision_model", "patch_size": 32},
        "vision_config_dict": None,
    },
    "clip large, its parts twice": {
        "model_type": "clip",
        "text_config": {**DUMPED, **CLIP_TEXT},
        "text_config_dict": CLIP_TEXT,
        "vision_config": {**DUMPED, **CLIP_IMAGE},
        "vision_config_dict": CLIP_IMAGE,
    },
    "siglip so400m": {
        "model_type": "siglip",
        "text_config": {**SIGLIP_PART, "model_type": "siglip_text_model"},
        "vision_config": {**SIGLIP_PART, "model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14},
    },
    "siglip 2 so400m at a fixed resolution": {
        "model_type": "siglip",
        "text_config": {**SIGLIP_PART, "vocab_size": 256000, "projection_size": 1152, "torch_dtype": "float32"},
        "vision_config": {**SIGLIP_PART, "image_size": 384, "patch_size": 14, "torch_dtype": "float32"},
    },
    "a vision tower taken out of another model": {
        "model_type": "siglip_vision_model",
        **SIGLIP_PART,
        "_attn_implementation_autoset": True,
        "vision_use_head": False,
        "image_size": 224,
        "patch_size": 14,
    },
    "dinov2 with registers, base": {
        "model_type": "dinov2_with_registers",
        "image_size": 518,
        "interpolate_antialias": True,
        "interpolate_offset": 0.0,
        "num_register_tokens": 4,
        "out_features": ["stage12"],
        "out_indices": [12],
        "patch_size": 14,
        "stage_names": ["stem", "stage12"],
    },
    "dinov3 small": {
        "model_type": "dinov3_vit",
        "architectures": ["DINOv3ViTModel"],
        "num_register_tokens": 4,
        "pos_embed_jitter": None,
        "pos_embed_rescale": 2.0,
        "pos_embed_shift": None,
        "rope_theta": 100.0,
    },
    "beit base, fine-tuned": {
        "model_type": "beit",
        "architectures": ["BeitForImageClassification"],
        "auxiliary_loss_weight": 0.4,
        "max_length": 128,
        "out_indices": [3, 5, 7, 11],
        "padding": "max_length",
        "pool_scales": [1, 2, 3, 6],
        "semantic_loss_ignore_index": 255,
        "use_relative_position_bias": True,
    },
    "hubert large, fine-tuned": {
        "model_type": "hubert",
        **SPEECH,
        "architectures": ["HubertForCTC"],
        "conv_bias": True,
        "do_stable_layer_norm": True,
        "feat_extract_norm": "layer",
        "feat_proj_layer_norm": True,
        "hidden_dropout_prob": 0.1,
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
    },
    "wavlm base": {
        "model_type": "wavlm",
        **SPEECH,
        "freeze_feat_extract_train": True,
        "max_bucket_distance": 800,
        "no_mask_time_overlap": False,
        "num_buckets": 320,
        "num_ctc_classes": 80,
        "replace_prob": 0.5,
    },
}
REFUSED = {
    "siglip2": ({"model_type": "siglip2"}, "model_type 'siglip2' is not a family"),
    "adapters": ({"model_type": "hubert", "adapter_attn_dim": 16}, "adapter_attn_dim 16 is not handled"),
    "an oblong table": (
        {"model_type": "dinov2", "image_size": [28, 56]},
        r"of 2 x 4 patches: only a square table can be stretched",
    ),
    "oblong patches": (
        {"model_type": "beit", "patch_size": [16, 8], "use_relative_position_bias": True},
        r"patch_size \(16, 8\) is oblong",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_configuration_is_understood(name: str) -> None:
    description = attnviz.describe(PUBLISHED[name])
    assert description["family"] == PUBLISHED[name]["model_type"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_number_could_be_compared_for_is_refused(name: str) -> None:
    config, message = REFUSED[name]
    with pytest.raises(AttnvizError, match=message):
        attnviz.describe(config)


def test_of_two_parts_for_a_tower_the_older_one_counts_with_its_defaults() -> None:
    """As in the reference, `text_config_dict` replaces `text_config`, even if it is empty."""
    own = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
    description = attnviz.describe({"model_type": "clip", "text_config": own, "text_config_dict": {"hidden_size": 48}})
    text = description["stacks"]["text"]
    assert (text["layers"], text["heads"], text["d_model"]) == (12, 8, 48)
