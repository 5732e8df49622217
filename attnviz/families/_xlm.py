"""Shared by XLM and FlauBERT: tensor names, sizes and the block."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._unembed import MaskedHead

NAMES = {
    "embed.tokens": "embeddings.weight",
    "embed.positions": "position_embeddings.weight",
    **pairs({"embed.norm": "layer_norm_emb"}),
    **pairs(
        {
            "q": "attentions.{i}.q_lin",
            "k": "attentions.{i}.k_lin",
            "v": "attentions.{i}.v_lin",
            "o": "attentions.{i}.out_lin",
            "norm1": "layer_norm1.{i}",
            "up": "ffns.{i}.lin1",
            "down": "ffns.{i}.lin2",
            "norm2": "layer_norm2.{i}",
        },
        "layers.{i}.",
    ),
}

MASKED = MaskedHead(table=("pred_layer.proj.weight",), bias=("pred_layer.proj.bias",), off="asm")

# Keys of published files about how the model was trained.
_TRAINING = (
    "amp bptt clip_grad_norm fp16 group_by_size langs lg_sampling_factor lgs max_batch_size mlm_steps sample_alpha "
    "tokens_per_batch word_blank word_dropout word_keep word_mask word_mask_keep_rand word_pred word_rand word_shuffle"
).split()


def encoder(config: Config) -> Spec:
    """XLMConfig and FlaubertConfig: learned positions, a norm on the embeddings, an MLP four times as wide.

    Languages get no embedding: the reference adds one only if it gets the language of each token, and tokenizers do not
    provide it. Sinusoidal positions are stored in the same table as learned ones.
    """
    config.rename(
        emb_dim="hidden_size", n_heads="num_attention_heads", n_layers="num_hidden_layers", vocab_size="n_words"
    )
    norm = Norm(eps=config.float("layer_norm_eps", 1e-12, low=0))
    d_model, n_heads = config.int("emb_dim", 2048), config.heads("n_heads", 16)
    config.divides("n_heads", n_heads, "emb_dim", d_model)
    if not config.bool("is_encoder", True):
        raise config.error("is_encoder false is not handled: the reference cannot run such a decoder")
    config.skip("asm", "asm_cutoffs", "asm_div_value", "n_langs", "use_lang_emb", "lang_id", "lang2id", "id2lang")
    config.skip(*_TRAINING)
    config.skip("sinusoidal_embeddings", "embed_init_std", "unk_index", "mask_index", "bos_index", "eos_index")
    config.skip("start_n_top", "end_n_top", "max_vocab", "min_count", "same_enc_dec", "share_inout_emb", "encoder_only")
    return Spec(
        n_layers=config.layers("n_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=4 * d_model,
        vocab=config.int("vocab_size", 30145),
        types_are_tokens=True,
        no_padding=config.int("pad_index", config.int("pad_token_id", 2, low=-1), low=-1),
        absolute=Learned(config.int("max_position_embeddings", 512)),
        embed_norm=norm,
        norm=norm,
        norm_after=True,
        causal=config.bool("causal"),
        activation="gelu" if config.bool("gelu_activation", True) else "relu",
    )
