"""BigBird-Pegasus (Zaheer 2020): PEGASUS with learned positions whose encoder attends in blocks in long texts."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Blocks, EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import pairs

NAMES = {
    **_seq2seq.names(),
    **pairs(
        {"q": "self.query", "k": "self.key", "v": "self.value", "o": "output"},
        "encoder.layers.{i}.",
        "encoder.layers.{i}.self_attn.",
    ),
    # The name says embeddings, but this norm follows the last layer.
    **pairs({f"{stack}.final_norm": f"{stack}.layernorm_embedding" for stack in ("encoder", "decoder")}),
}
UNEMBED = _seq2seq.UNEMBED


def spec(config: Config) -> EncoderDecoder:
    """BigBirdPegasusConfig. A text too short for blocks has full attention."""
    config.rename(d_model="hidden_size")
    bias = config.bool("use_bias")
    both = _seq2seq.stacks(
        config,
        vocab=96103,
        n_layers=(16, 16),
        activation="gelu_new",
        start=2,
        absolute=Learned(config.int("max_position_embeddings", 4096)),
        embed_scale=_seq2seq.scaled(config, left_out=True),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
        **biases(bias, bias, bias, bias),
    )
    size, n_random = config.int("block_size", 64), config.int("num_random_blocks", 3, low=0, high=1000)
    if config.choice("attention_type", "block_sparse", ("block_sparse", "original_full")) == "original_full":
        return both
    return replace(both, encoder=replace(both.encoder, blocks=Blocks(size, n_random)))
