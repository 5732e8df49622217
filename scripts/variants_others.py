"""Variants of the encoder-decoders, and of models that read images and sound."""

from __future__ import annotations

from typing import Any

from reference_families import FAMILIES
from variant import Variant, v

# The language model inside a model that reads images.
_TEXT = FAMILIES["llama"].config


def _mrope(*section: int) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": list(section)}}


# fmt: off
DINOV2 = [
    v("big", "3 layers, 6 heads of 10, mlp_ratio 3", hidden_size=60, num_hidden_layers=3, num_attention_heads=6,
      mlp_ratio=3),
    v("swiglu", "use_swiglu_ffn", use_swiglu_ffn=True),
    v("swiglu_odd", "use_swiglu_ffn, hidden size 60", use_swiglu_ffn=True, hidden_size=60, num_attention_heads=6,
      mlp_ratio=4),
    v("larger", "an image larger than trained: 48 x 48, positions interpolated", inputs={"image": (48, 48)}),
    v("smaller", "an image smaller than trained: 24 x 24", inputs={"image": (24, 24)}),
    v("oblong", "an image of 40 x 56", inputs={"image": (40, 56)}),
    v("transposed", "an image of 64 x 16: as many patches, another shape", inputs={"image": (64, 16)}),
    v("ragged", "an image of 37 x 43", inputs={"image": (37, 43)}),
    v("no_bias", "qkv_bias False", qkv_bias=False),
    v("no_mask_token", "use_mask_token False", use_mask_token=False),
]
OTHERS: dict[str, list[Variant]] = {
    "t5": [
        v("big", "3 layers, 6 heads of 10", d_model=60, num_layers=3, num_heads=6, d_kv=10, d_ff=77, length=40,
          target=20, gain=1.1),
        v("one_token", "one token each", length=1, target=1),
        v("d_kv", "d_kv 12, not d_model / heads", d_kv=12, gain=1.1),
        v("gated_gelu", "feed_forward_proj gated-gelu: v1.1", feed_forward_proj="gated-gelu",
          tie_word_embeddings=False, gain=1.1),
        v("gated_silu", "feed_forward_proj gated-silu", feed_forward_proj="gated-silu", gain=1.1),
        v("deep_decoder", "2 encoder, 4 decoder layers", num_decoder_layers=4, gain=1.1),
        v("shallow_decoder", "3 encoder, 1 decoder layer", num_layers=3, num_decoder_layers=1, gain=1.1),
        v("buckets", "16 buckets, distance 20, 60 and 40 tokens", relative_attention_num_buckets=16,
          relative_attention_max_distance=20, length=60, target=40, gain=1.1),
        v("far", "200 tokens, beyond distance 128", length=200, target=150, gain=1.1),
        v("lm_head", "T5ForConditionalGeneration", architecture="T5ForConditionalGeneration", gain=1.1),
        v("lm_head_untied", "T5ForConditionalGeneration, untied", architecture="T5ForConditionalGeneration",
          tie_word_embeddings=False, gain=1.1),
        v("encoder_only", "T5EncoderModel: the encoder alone", architecture="T5EncoderModel", reads="ids", gain=1.1),
    ],
    **{
        family: [
            v("big", "3 layers, 6 heads of 10", d_model=60, encoder_layers=3, decoder_layers=3,
              encoder_attention_heads=6, decoder_attention_heads=6, encoder_ffn_dim=77, decoder_ffn_dim=50,
              length=40, target=20),
            v("one_token", "one token each", length=1, target=1),
            v("uneven", "3 encoder layers of 4 heads, 1 decoder layer of 2 heads", encoder_layers=3,
              decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=40),
            v("uneven2", "1 encoder layer of 2 heads, 3 decoder layers of 8", encoder_layers=1, decoder_layers=3,
              encoder_attention_heads=2, decoder_attention_heads=8),
            v("scale", "scale_embedding", scale_embedding=True),
            v("relu", "activation relu", activation_function="relu"),
            v("swish", "activation swish", activation_function="swish"),
            v("full_table", "64 tokens each", length=64, target=64),
            v("lm_head", title, architecture=title),
            *more,
        ]
        for family, title, *more in (
            ("bart", "BartForConditionalGeneration"),
            ("pegasus", "PegasusForConditionalGeneration"),
            ("marian", "MarianMTModel"),
            ("mbart", "MBartForConditionalGeneration"),
            (
                "m2m_100", "M2M100ForConditionalGeneration",
                v("no_scale", "scale_embedding False", scale_embedding=False),
                v("long", "90 and 80 tokens, beyond max_position_embeddings 64", length=90, target=80),
                v("pads", "pad ids inside the text: they hold no position", inputs={"pads": [3, 7]}),
                v("pads_first", "pad ids in front", inputs={"pads": [0, 1]}, length=20),
                v("pad5", "pad_token_id 5: positions from 6", pad_token_id=5, inputs={"pads": [4]}, length=20),
                v("odd", "a width of 36 in 4 heads", d_model=36, length=30),
            ),
            ("blenderbot", "BlenderbotForConditionalGeneration"),
            ("blenderbot_small", "BlenderbotSmallForConditionalGeneration"),
        )
    },
    **{
        family: [
            v("big", "3 layers, 6 heads of 10", d_model=60, num_layers=3, num_heads=6, d_kv=10, d_ff=77, length=40,
              target=20, gain=1.1),
            v("one_token", "one token each", length=1, target=1),
            v("d_kv", "d_kv 12, not d_model / heads", d_kv=12, gain=1.1),
            v("relu", "feed_forward_proj relu", feed_forward_proj="relu", gain=1.1),
            v("gated_silu", "feed_forward_proj gated-silu", feed_forward_proj="gated-silu", gain=1.1),
            v("deep_decoder", "2 encoder, 4 decoder layers", num_decoder_layers=4, gain=1.1),
            v("shallow_decoder", "3 encoder, 1 decoder layer", num_layers=3, num_decoder_layers=1, gain=1.1),
            v("buckets", "16 buckets, distance 20, 60 and 40 tokens", relative_attention_num_buckets=16,
              relative_attention_max_distance=20, length=60, target=40, gain=1.1),
            v("far", "200 tokens, beyond distance 128", length=200, target=150, gain=1.1),
            v("eps", "layer_norm_epsilon 1e-2", layer_norm_epsilon=0.01, gain=1.1),
            v("lm_head", f"{title}ForConditionalGeneration", architecture=f"{title}ForConditionalGeneration", gain=1.1),
            v("base", f"{title}Model", architecture=f"{title}Model", gain=1.1),
            v("encoder_only", f"{title}EncoderModel: the encoder alone", architecture=f"{title}EncoderModel",
              reads="ids", gain=1.1),
        ]
        for family, title in (("mt5", "MT5"), ("umt5", "UMT5"))
    },
    "bigbird_pegasus": [
        v("big", "3 layers, 6 heads of 10", d_model=60, encoder_layers=3, decoder_layers=3, encoder_attention_heads=6,
          decoder_attention_heads=6, encoder_ffn_dim=77, decoder_ffn_dim=50, length=40, target=20),
        v("one_token", "one token each", length=1, target=1),
        v("uneven", "1 encoder layer of 2 heads, 3 decoder layers of 8", encoder_layers=1, decoder_layers=3,
          encoder_attention_heads=2, decoder_attention_heads=8),
        v("sparse", "40 tokens in blocks of 4, one random block", length=40),
        v("sparse_ragged", "39 tokens in blocks of 4: padded by one", length=39),
        v("sparse_three", "48 tokens in blocks of 4, three random blocks", num_random_blocks=3, length=48),
        v("threshold", "28 tokens: as many as are attended to in full", length=28),
        v("full", "attention_type original_full, 40 tokens", attention_type="original_full", length=40),
        v("bias", "use_bias", use_bias=True, length=40),
        v("no_scale", "scale_embedding False", scale_embedding=False),
        v("relu", "activation relu", activation_function="relu"),
        v("full_table", "64 tokens each", length=64, target=64),
        v("lm_head", "BigBirdPegasusForConditionalGeneration", architecture="BigBirdPegasusForConditionalGeneration"),
    ],
    "led": [
        v("big", "3 layers, 6 heads of 10, windows of 4, 8 and 12", d_model=60, encoder_layers=3, decoder_layers=3,
          encoder_attention_heads=6, decoder_attention_heads=6, encoder_ffn_dim=77, decoder_ffn_dim=50,
          attention_window=[4, 8, 12], length=40, target=20),
        v("one_token", "one token each", length=1, target=1),
        v("uneven", "3 encoder layers of 4 heads, 1 decoder layer of 2 heads", encoder_layers=3, decoder_layers=1,
          decoder_attention_heads=2, decoder_ffn_dim=40, attention_window=[8, 8, 8]),
        v("uneven2", "1 encoder layer of 2 heads, 3 decoder layers of 8", encoder_layers=1, decoder_layers=3,
          encoder_attention_heads=2, decoder_attention_heads=8, attention_window=[8]),
        v("window_int", "attention_window 4 as a number", attention_window=4, length=30),
        v("window_wide", "a window wider than the text", attention_window=[32, 32]),
        v("global_first", "the first token global", inputs={"globals": [0]}, length=30),
        v("global_three", "three global tokens", inputs={"globals": [0, 11, 29]}, length=30),
        v("global_all", "every token global", inputs={"globals": range(13)}),
        v("tables", "position tables of 48 and 32", max_encoder_position_embeddings=48,
          max_decoder_position_embeddings=32, length=48, target=32),
        v("relu", "activation relu", activation_function="relu"),
        v("base", "LEDModel", architecture="LEDModel"),
        v("lm_head", "LEDForConditionalGeneration", architecture="LEDForConditionalGeneration"),
    ],
    "whisper": [
        v("big", "3 layers, 6 heads of 10", d_model=60, encoder_layers=3, decoder_layers=3,
          encoder_attention_heads=6, decoder_attention_heads=6, encoder_ffn_dim=77, decoder_ffn_dim=50,
          max_source_positions=40, target=20),
        v("one_token", "one target token", target=1),
        v("uneven", "3 encoder layers of 4 heads, 1 decoder layer of 2 heads", encoder_layers=3, decoder_layers=1,
          decoder_attention_heads=2),
        v("mels", "20 mel bins", num_mel_bins=20),
        v("scale", "scale_embedding", scale_embedding=True),
        v("full_table", "32 target tokens", target=32),
        v("lm_head", "WhisperForConditionalGeneration", architecture="WhisperForConditionalGeneration"),
    ],
    **{
        family: [
            v("big", "3 layers, 6 heads of 10", hidden_size=60, num_hidden_layers=3, num_attention_heads=6,
              intermediate_size=77),
            v("patch16", "patches of 16 of an image of 48", image_size=48, patch_size=16),
            v("patch4", "patches of 4: 64 of them", patch_size=4),
            v("grey", "one channel", num_channels=1),
            v("ragged", "image of 35, patches of 8: the rest is not read", image_size=35),
            v("eps", "layer_norm_eps 1e-3", layer_norm_eps=0.001),
            *more,
        ]
        for family, more in (
            ("vit", [
                v("no_bias", "qkv_bias False", qkv_bias=False),
                v("classifier", "ViTForImageClassification", architecture="ViTForImageClassification"),
                v("relu", "hidden_act relu", hidden_act="relu"),
                v("oblong", "image_size [32, 48]", image_size=[32, 48]),
                v("oblong_patch", "patch_size [8, 4]", patch_size=[8, 4]),
            ]),
            ("vit_msn", [
                v("no_bias", "qkv_bias False", qkv_bias=False),
                v("classifier", "ViTMSNForImageClassification", architecture="ViTMSNForImageClassification"),
            ]),
            ("deit", [
                v("no_bias", "qkv_bias False", qkv_bias=False),
                v("classifier", "DeiTForImageClassification", architecture="DeiTForImageClassification"),
                v("teacher", "DeiTForImageClassificationWithTeacher",
                  architecture="DeiTForImageClassificationWithTeacher"),
            ]),
            ("siglip_vision_model", [
                v("gelu", "hidden_act gelu", hidden_act="gelu"),
                v("no_head", "vision_use_head False", vision_use_head=False),
            ]),
            ("clip_vision", [
                v("projection", "CLIPVisionModelWithProjection", architecture="CLIPVisionModelWithProjection"),
                v("gelu", "hidden_act gelu", hidden_act="gelu"),
            ]),
        )
    },
    "dinov2": [
        *DINOV2,
        v("classifier", "Dinov2ForImageClassification", architecture="Dinov2ForImageClassification"),
        v("backbone", "Dinov2Backbone", architecture="Dinov2Backbone"),
    ],
    "siglip": [
        v("text", "both towers: the text one", reads="ids"),
        v("vision", "both towers: the image one", reads="image"),
        v("vision_uneven", "both towers of other sizes: the image one", reads="image",
          vision_config={**FAMILIES["siglip_vision_model"].config, "num_hidden_layers": 3, "hidden_size": 48,
            "num_attention_heads": 6}),
        v("text_uneven", "both towers of other sizes: the text one", reads="ids",
          text_config={**FAMILIES["siglip_text_model"].config, "num_hidden_layers": 3, "hidden_size": 48,
            "num_attention_heads": 6}),
        v("classifier", "SiglipForImageClassification", architecture="SiglipForImageClassification", reads="image"),
    ],
    "siglip_text_model": [
        v("big", "3 layers, 6 heads of 10", hidden_size=60, num_hidden_layers=3, num_attention_heads=6,
          intermediate_size=77, length=40),
        v("one_token", "one token", length=1),
        v("full_table", "64 tokens", length=64),
        v("gelu", "hidden_act gelu, layer_norm_eps 1e-3", hidden_act="gelu", layer_norm_eps=0.001),
        v("projection", "projection_size 20", projection_size=20),
    ],
    "dinov2_with_registers": [
        *DINOV2,
        v("one_register", "1 register", num_register_tokens=1),
        v("no_register", "0 registers", num_register_tokens=0),
        v("much_smaller", "an image far smaller than trained: 64 to 16", image_size=64, inputs={"image": (16, 24)}),
        v("classifier", "Dinov2WithRegistersForImageClassification",
          architecture="Dinov2WithRegistersForImageClassification"),
        v("backbone", "Dinov2WithRegistersBackbone", architecture="Dinov2WithRegistersBackbone"),
    ],
    "dinov3_vit": [
        v("big", "3 layers, 6 heads of 16", hidden_size=96, num_hidden_layers=3, num_attention_heads=6,
          intermediate_size=77),
        v("gated", "use_gated_mlp, silu", use_gated_mlp=True, hidden_act="silu"),
        v("gated_no_bias", "use_gated_mlp, mlp_bias False", use_gated_mlp=True, mlp_bias=False),
        v("biases", "no query_bias, value_bias or proj_bias", query_bias=False, value_bias=False, proj_bias=False),
        v("key_bias", "key_bias", key_bias=True),
        v("no_register", "no registers", num_register_tokens=0),
        v("one_register", "1 register", num_register_tokens=1),
        v("theta", "rope_theta 10", rope_theta=10.0),
        v("augmented", "pos_embed_shift, jitter and no rescale: training only", pos_embed_shift=0.5,
          pos_embed_jitter=2.0, pos_embed_rescale=None),
        v("larger", "an image of 48 x 48", inputs={"image": (48, 48)}),
        v("oblong", "an image of 24 x 56", inputs={"image": (24, 56)}),
        v("ragged", "an image of 37 x 43", inputs={"image": (37, 43)}),
        v("patch16", "patches of 16 of an image of 64", image_size=64, patch_size=16),
        v("oblong_patch", "patch_size [8, 4]", patch_size=[8, 4]),
        v("oblong_image", "image_size [32, 48]", image_size=[32, 48]),
        v("layerscale", "layerscale_value 0.5, layer_norm_eps 1e-3", layerscale_value=0.5, layer_norm_eps=0.001),
        v("grey", "one channel", num_channels=1),
        v("backbone", "DINOv3ViTBackbone", architecture="DINOv3ViTBackbone"),
    ],
    **{
        family: [
            v("big", "3 layers, 6 heads of 10", hidden_size=60, num_hidden_layers=3, num_attention_heads=6,
              intermediate_size=77),
            v("shared", "use_shared_relative_position_bias alone", use_relative_position_bias=False,
              use_shared_relative_position_bias=True),
            v("both", "a shared table and one a layer", use_shared_relative_position_bias=True),
            v("absolute", "use_absolute_position_embeddings alone", use_relative_position_bias=False,
              use_absolute_position_embeddings=True),
            v("all_places", "absolute places, a shared table and one a layer", use_absolute_position_embeddings=True,
              use_shared_relative_position_bias=True),
            v("no_places", "no positions at all", use_relative_position_bias=False),
            v("oblong_patch", "patch_size [8, 4], no relative positions", use_relative_position_bias=False,
              patch_size=[8, 4]),
            v("larger", "an image larger than trained: 48 x 48", inputs={"image": (48, 48)}),
            v("smaller", "an image smaller than trained: 16 x 24", inputs={"image": (16, 24)}),
            v("ragged", "an image of 37 x 43, absolute places too", inputs={"image": (37, 43)},
              use_absolute_position_embeddings=True),
            v("shared_larger", "a shared table, an image of 40 x 56", inputs={"image": (40, 56)},
              use_relative_position_bias=False, use_shared_relative_position_bias=True),
            v("oblong_image", "image_size [32, 48]: the table is read with rows and columns exchanged",
              image_size=[32, 48]),
            v("oblong_larger", "image_size [48, 32], an image of 56 x 40", image_size=[48, 32],
              inputs={"image": (56, 40)}),
            v("one_patch", "an image of one patch", image_size=8),
            v("no_scale", "layer_scale_init_value 0", layer_scale_init_value=0.0),
            v("last_norm", "use_mean_pooling False", use_mean_pooling=False),
            v("eps", "layer_norm_eps 1e-3, relu", layer_norm_eps=0.001, hidden_act="relu"),
            v("classifier", f"{title}ForImageClassification", architecture=f"{title}ForImageClassification"),
            *more,
        ]
        for family, title, more in (
            ("beit", "Beit", [
                v("mask_token", "BeitForMaskedImageModeling", use_mask_token=True,
                  architecture="BeitForMaskedImageModeling"),
                v("backbone", "BeitBackbone", architecture="BeitBackbone"),
                v("head_dim", "head_dim 12", head_dim=12),
            ]),
            ("data2vec_vision", "Data2VecVision", []),
        )
    },
    "clip": [
        v("text", "both towers: the text one", reads="ids"),
        v("vision", "both towers: the image one", reads="image"),
        v("vision_uneven", "both towers of other sizes: the image one", reads="image",
          vision_config={**FAMILIES["clip_vision"].config, "num_hidden_layers": 3, "hidden_size": 48,
            "num_attention_heads": 6}),
        v("text_uneven", "both towers of other sizes: the text one", reads="ids",
          text_config={**FAMILIES["clip_text"].config, "num_hidden_layers": 3, "hidden_size": 48,
            "num_attention_heads": 6}),
    ],
    "llava": [
        v("mistral", "a Mistral inside", text_config={"model_type": "mistral", **_TEXT, "sliding_window": 5}),
        v("qwen2", "a Qwen2 inside", text_config={"model_type": "qwen2", **_TEXT}),
        v("head", "LlavaForConditionalGeneration", architecture="LlavaForConditionalGeneration"),
        v("tied", "LlavaForConditionalGeneration, tied", architecture="LlavaForConditionalGeneration",
          tie_word_embeddings=True),
    ],
    "gemma3": [
        v("layers7", "7 layers: the sixth is full", length=30,
          text_config={**_TEXT, "num_hidden_layers": 7, "head_dim": 16, "sliding_window": 5}),
        v("head", "Gemma3ForConditionalGeneration", architecture="Gemma3ForConditionalGeneration"),
    ],
    "mistral3": [
        v("no_window", "sliding_window null", text_config={"model_type": "mistral", **_TEXT, "sliding_window": None}),
        v("head", "Mistral3ForConditionalGeneration", architecture="Mistral3ForConditionalGeneration"),
    ],
    **{
        family: [
            v("big", "3 layers, 6 heads, 3 kv heads", length=40,
              text_config={**_TEXT, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 6,
                "num_key_value_heads": 3, **_mrope(1, 2, 1)}),
            v("window", "use_sliding_window, later layers slide", length=20,
              text_config={**_TEXT, **_mrope(1, 1, 2), "use_sliding_window": True, "sliding_window": 4,
                "max_window_layers": 1, "num_hidden_layers": 3}),
            v("head", "saved with its head", architecture=title),
            v("tied", "saved with its head, tied", architecture=title, tie_word_embeddings=True),
        ]
        for family, title in (
            ("qwen2_vl", "Qwen2VLForConditionalGeneration"),
            ("qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"),
        )
    },
    **{
        family: [
            v("big", "3 layers, 6 heads of 10", hidden_size=60, num_hidden_layers=3, num_attention_heads=6,
              intermediate_size=77, num_conv_pos_embedding_groups=6, length=600),
            v("conv_bias", "conv_bias", conv_bias=True),
            v("seven", "7 convolutions as published, narrow", conv_dim=[8] * 7, conv_kernel=[10, 3, 3, 3, 3, 2, 2],
              conv_stride=[5, 2, 2, 2, 2, 2, 2], length=6000),
            v("relu", "activations relu", hidden_act="relu", feat_extract_activation="relu"),
            v("eps", "layer_norm_eps 1e-3", layer_norm_eps=0.001),
            v("one_frame", "a sound of one frame", length=20),
            v("ctc", f"{title}ForCTC", architecture=f"{title}ForCTC"),
            v("classifier", f"{title}ForSequenceClassification", architecture=f"{title}ForSequenceClassification"),
            v("narrow", "a projection narrower than the convolutions", hidden_size=16, num_attention_heads=2,
              intermediate_size=20, num_conv_pos_embedding_groups=2),
            *more,
        ]
        for family, title, more in (
            *(
                (family, title, [
                    v("stable", "do_stable_layer_norm, feat_extract_norm layer, conv_bias: as large",
                      do_stable_layer_norm=True, feat_extract_norm="layer", conv_bias=True),
                    v("layer_norm", "feat_extract_norm layer", feat_extract_norm="layer"),
                    v("stable_group", "do_stable_layer_norm with feat_extract_norm group", do_stable_layer_norm=True),
                    v("odd_kernel", "num_conv_pos_embeddings 15", num_conv_pos_embeddings=15,
                      num_conv_pos_embedding_groups=2),
                    *more,
                ])
                for family, title, more in (
                    ("wav2vec2", "Wav2Vec2", []),
                    ("unispeech", "UniSpeech", []),
                    ("unispeech_sat", "UniSpeechSat", []),
                    ("hubert", "Hubert", [
                        v("plain_projection", "feat_proj_layer_norm False", feat_proj_layer_norm=False),
                        v("batch_norm", "conv_pos_batch_norm, its means and variances drawn", conv_pos_batch_norm=True),
                        v("batch_norm_stable", "conv_pos_batch_norm, do_stable_layer_norm", conv_pos_batch_norm=True,
                          do_stable_layer_norm=True, feat_extract_norm="layer"),
                    ]),
                    ("wavlm", "WavLM", [
                        v("buckets", "320 buckets, distance 800, as published", num_buckets=320,
                          max_bucket_distance=800, length=900),
                        v("far", "8 buckets, distance 6: most are far", num_buckets=8, max_bucket_distance=6,
                          length=900),
                        v("deep", "4 layers, do_stable_layer_norm", num_hidden_layers=4, do_stable_layer_norm=True,
                          feat_extract_norm="layer", gain=1.2),
                        v("odd_buckets", "18 buckets", num_buckets=18, length=400),
                    ]),
                )
            ),
            ("data2vec_audio", "Data2VecAudio", [
                v("five", "5 convolutions of kernel 19 for positions, as published", num_conv_pos_embeddings=5,
                  conv_pos_kernel_size=19, length=900),
                v("even", "1 convolution of kernel 6 for positions", num_conv_pos_embeddings=1,
                  conv_pos_kernel_size=6),
                v("groups", "2 groups", num_conv_pos_embedding_groups=2),
            ]),
        )
    },
}
