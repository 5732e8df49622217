"""HuBERT (Hsu 2021): wav2vec 2.0's encoder, trained to name hidden units of sound."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _sound
from attnviz.families._config import Config
from attnviz.families._names import Source

_NORM = "encoder.pos_conv_embed.batch_norm."
NAMES: dict[str, Source] = {
    **_sound.NAMES,
    **{f"embed.positions.norm.{part}": f"{_NORM}{part}" for part in ("weight", "bias")},
    "embed.positions.norm.mean": f"{_NORM}running_mean",
    "embed.positions.norm.variance": f"{_NORM}running_var",
}


def spec(config: Config) -> Spec:
    """HubertConfig."""
    cut = _sound.convolutions(config, project_norm=config.bool("feat_proj_layer_norm", True))
    encoder = _sound.encoder(config, convolutions=cut)
    assert encoder.positional_convolution is not None
    normed = config.bool("conv_pos_batch_norm")
    return replace(encoder, positional_convolution=replace(encoder.positional_convolution, batch_norm=normed))
