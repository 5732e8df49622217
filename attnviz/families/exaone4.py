"""EXAONE 4 (LG AI Research 2025): norms on outputs and on each head; beside windows, full layers have no positions."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import FULL, SLIDING, reaches, sliding_window

NAMES = {**_decoder.NAMES, **_decoder.NORMS_OUT, **_decoder.QK_NORMS}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Exaone4Config. Without a window every layer is full and has positions."""
    sizes = _decoder.sizes(config, n_kv_heads=32, d_mlp=16384, vocab=102400)
    norm, kinds = _decoder.rms(config, 1e-5), _kinds(config, sizes["n_layers"])
    reach = sliding_window(config, 4096, kinds)
    turns = rotary(config, sizes["d_head"])
    return _decoder.decoder(
        config,
        norm,
        tuple(turns if reach < 0 or kind == SLIDING else None for kind in kinds),
        **sizes,
        norm_before=False,
        norm_output=True,
        qk_norm=norm,
        reach=reaches(kinds, reach),
    )


def _kinds(config: Config, n_layers: int) -> tuple[str, ...]:
    """The kind of each layer. The pattern is a number, or a word (LLLG: three sliding layers, then a full one)."""
    pattern = config.raw("sliding_window_pattern", 4)
    kinds = config.words("layer_types", (FULL, SLIDING), n_layers)
    if kinds:
        return kinds
    if config.window("sliding_window", 4096) < 0:
        return (FULL,) * n_layers
    if isinstance(pattern, str) and pattern and set(pattern) <= {"L", "G"}:
        return tuple(SLIDING if pattern[i % len(pattern)] == "L" else FULL for i in range(n_layers))
    every = config.int("sliding_window_pattern", 4)
    return tuple(SLIDING if (i + 1) % every else FULL for i in range(n_layers))


def _from_gguf(m: Metadata) -> Made:
    m.only("nextn_predict_layers", 0)
    window = m.int("attention.sliding_window", 0, low=0)
    kinds = gguf.layer_kinds(m, 4) if window else [FULL] * m.layers()
    m.skip("rope.freq_base_swa")  # one base for all layers
    return {**gguf.plain("exaone4")(m), "sliding_window": window or None, "layer_types": kinds}


GGUF = {"exaone4": gguf.Architecture(_from_gguf, gguf.AROUND)}
