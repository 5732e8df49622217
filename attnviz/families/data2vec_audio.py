"""data2vec for sound (Baevski 2022): wav2vec 2.0's encoder with a stack of convolutions for positions."""

from __future__ import annotations

from attnviz.engine.spec import PositionalConvolution, Spec
from attnviz.families import _sound
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs

NAMES: dict[str, Source] = {
    **_sound.NAMES,
    **pairs({"embed.positions.{i}": "conv"}, "", "encoder.pos_conv_embed.layers.{i}."),
}


def spec(config: Config) -> Spec:
    """Data2VecAudioConfig."""
    places = PositionalConvolution(
        config.int("conv_pos_kernel_size", 19, high=1 << 16),
        _sound.groups(config),
        config.activation("feat_extract_activation", "gelu"),
        stack=config.int("num_conv_pos_embeddings", 5, high=1000),
    )
    cut = _sound.convolutions(config, norm="layer")
    return _sound.encoder(config, convolutions=cut, positional_convolution=places, norm_before=False)
