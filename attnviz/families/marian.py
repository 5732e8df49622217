"""Marian (Junczys-Dowmunt 2018): post-norm encoder and decoder for translation, sinusoidal positions."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import END, Recipe

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED
TOKENIZERS = {"marian": Recipe("$A:0 {eos}:0", "$A:0 $B:0 {eos}:0", END, spaces="own")}


def spec(config: Config) -> EncoderDecoder:
    """MarianConfig. Encoder and decoder may have vocabularies of their own."""
    config.rename(d_model="hidden_size")
    config.skip("num_beams")
    both = _seq2seq.stacks(
        config,
        vocab=58101,
        embed_scale=_seq2seq.scaled(config),
        norm=_seq2seq.PLAIN,
        norm_after=True,
    )
    both = _seq2seq.computed_positions(config, both)
    own = config.int("decoder_vocab_size", both.encoder.vocab)
    if config.bool("share_encoder_decoder_embeddings", True):
        own = both.encoder.vocab
    return replace(both, decoder=replace(both.decoder, vocab=own))
