"""OLMo 3 (Ai2 2025): OLMo 2 with windows in three layers of four, and stretched rotary positions in the fourth."""

from __future__ import annotations

from attnviz.engine.spec import Rotary, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import KINDS, by_layer_type
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import FULL, SLIDING, layer_types, reaches, sliding_window

NAMES = {**_decoder.NAMES, **_decoder.NORMS_OUT, **_decoder.QK_NORMS}
UNEMBED = Unembedding()
THETA = 5e5
HINT = "write rope_parameters for full_attention and for sliding_attention"


def spec(config: Config) -> Spec:
    """Olmo3Config."""
    sizes = _decoder.sizes(config, vocab=50304)
    norm, bias = _decoder.rms(config, 1e-5), config.bool("attention_bias")
    kinds = layer_types(config, sizes["n_layers"], lambda i: (i + 1) % 4 != 0)
    return _decoder.decoder(
        config,
        norm,
        _turns(config, kinds, sizes["d_head"]),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        norm_before=False,
        norm_output=True,
        qk_norm=norm,
        qk_norm_over="all",
        reach=reaches(kinds, sliding_window(config, 4096, kinds)),
    )


def _turns(config: Config, kinds: tuple[str, ...], d_head: int) -> tuple[Rotary, ...]:
    """Rotary positions layer by layer, where the releases of the reference agree about them.

    One set of parameters: transformers 5.0 to 5.12 uses it in all layers, 5.13 and later in none. A rope_theta outside
    of these parameters: 4.57 makes it the base of all layers, 5.13 and later of full layers alone.
    """
    rope = config.sub("rope_parameters")
    if rope is not None:
        config.off("rope_scaling")
        kind, theta = rope.choice("rope_type", "default", KINDS), rope.float("rope_theta", THETA, low=1e-3)
        if kind != "default" or theta != THETA:
            raise rope.error(
                "one set of rotary positions leaves open in which layers it counts: it differs between releases", HINT
            )
        config.data["rope_parameters"] = {k: v for k, v in rope.data.items() if k not in ("rope_type", "rope_theta")}
    own = None if rope is None else rope.raw(SLIDING)
    theta = config.float("rope_theta", THETA, low=1e-3)
    if theta != THETA and SLIDING in kinds and not (isinstance(own, dict) and "rope_theta" in own):
        raise config.error(
            f"rope_theta {theta:g} leaves open which base sliding layers have: it differs between releases", HINT
        )
    thetas = {FULL: ("rope_theta", THETA), SLIDING: ("rope_theta", THETA)}
    return by_layer_type(config, kinds, thetas, d_head, 2048, scaled=FULL)
