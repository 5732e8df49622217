"""Qwen2-VL's language model (Wang 2024; also Qwen2.5-VL's): Qwen2; a token of text has one position for all axes."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import upper_windows

ALIASES = ("qwen2_5_vl_text",)
NAMES = _decoder.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Qwen2VLTextConfig. Time, row and column of a token are equal in a text, which is plain rotation."""
    sizes = _decoder.sizes(
        config, n_layers=80, n_heads=64, n_kv_heads=8, d_model=8192, d_mlp=29568, vocab=152064, positions=32768
    )
    turns = rotary(config, sizes["d_head"], 1000000.0, max_positions=32768)
    windows = upper_windows(config, sizes["n_layers"], first=80)
    more = _decoder.biases(True, True, True, False)
    return _decoder.decoder(config, _decoder.rms(config, 1e-5), (turns,), **sizes, reach=windows, **more)
