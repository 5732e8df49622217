"""LED (Beltagy 2020): BART whose encoder has Longformer's sliding window and global tokens."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._windows import both_sides

_PARTS = dict(zip("qkv", ("query", "key", "value"), strict=True))
NAMES = {
    **_seq2seq.names(),
    **pairs(
        {
            **{part: f"longformer_self_attn.{name}" for part, name in _PARTS.items()},
            **{f"global_{part}": f"longformer_self_attn.{name}_global" for part, name in _PARTS.items()},
            "o": "output",
        },
        "encoder.layers.{i}.",
        "encoder.layers.{i}.self_attn.",
    ),
}
UNEMBED = _seq2seq.UNEMBED


def spec(config: Config) -> EncoderDecoder:
    """LEDConfig. The position tables of the two stacks differ in length."""
    config.rename(d_model="hidden_size")
    config.skip("scale_embedding", "classif_dropout", "max_position_embeddings", "attention_mode")
    both = _seq2seq.stacks(
        config, vocab=50265, start=2, embed_norm=_seq2seq.PLAIN, norm=_seq2seq.PLAIN, norm_after=True, embed_scale=1.0
    )
    encoder = replace(
        both.encoder,
        absolute=Learned(config.int("max_encoder_position_embeddings", 16384)),
        reach=both_sides(config, "attention_window", 512, both.encoder.n_layers),
        global_tokens=True,
    )
    decoder = replace(both.decoder, absolute=Learned(config.int("max_decoder_position_embeddings", 1024)))
    return replace(both, encoder=encoder, decoder=decoder)
