"""wav2vec 2.0 (Baevski 2020): raw sound through convolutions, a convolution for positions, an encoder."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _sound
from attnviz.families._config import Config

ALIASES = ("unispeech", "unispeech_sat")  # these models differ in their training alone
NAMES = _sound.NAMES


def spec(config: Config) -> Spec:
    """Wav2Vec2Config, UniSpeechConfig and UniSpeechSatConfig."""
    return _sound.encoder(config)
