"""Whisper (Radford 2022): log-mel spectra through two convolutions, pre-norm encoder and decoder."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Convolutions, EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import END_OF_TEXT, Recipe
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **_seq2seq.names("decoder.embed_tokens.weight"),
    **pairs({"encoder.embed.conv.0": "encoder.conv1", "encoder.embed.conv.1": "encoder.conv2"}),
}
UNEMBED = Unembedding(("proj_out.weight",), tied=True)
TOKENIZERS = {
    "whisper": Recipe(
        "<|startoftranscript|>:0 <|notimestamps|>:0 $A:0 {eos}:0",
        "<|startoftranscript|>:0 <|notimestamps|>:0 $A:0 $B:1 {eos}:1",
        {"bos": END_OF_TEXT, "eos": END_OF_TEXT, "unk": END_OF_TEXT},
        vocab="bytes",
    )
}


def spec(config: Config) -> EncoderDecoder:
    """WhisperConfig. Keys have no bias."""
    both = _seq2seq.stacks(
        config,
        vocab=51865,
        d_model=384,
        n_heads=6,
        d_mlp=1536,
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
        k_bias=False,
    )
    d_model, n_mels = both.encoder.d_model, config.int("num_mel_bins", 80)
    config.skip("scale_embedding", "apply_spec_augment", "mask_*", "use_weighted_layer_sum", "median_filter_width")
    config.skip("alignment_heads", "num_key_value_heads", "max_length", "lang_ids", "task_ids", "lang_to_id")
    encoder = replace(
        both.encoder,
        vocab=0,
        convolutions=Convolutions((d_model, d_model), (3, 3), (1, 2), pad=1, channels=n_mels),
        absolute=Learned(config.int("max_source_positions", 1500)),
    )
    decoder = replace(both.decoder, absolute=Learned(config.int("max_target_positions", 448)))
    return replace(both, encoder=encoder, decoder=decoder)
