"""DeepSeek-V3 (DeepSeek-AI 2024): DeepSeek-V2 with experts chosen by corrected sigmoid scores, from the best groups."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder, _experts, _latent
from attnviz.families._config import Config
from attnviz.families._unembed import Unembedding

ALIASES = ("kimi_k2",)
NAMES = _latent.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """DeepseekV3Config.

    Experts outside the best groups are never chosen, as since transformers 5.6; in earlier versions such an expert had
    the score 0, which a correction below 0 could put first.
    """
    config.rename(n_routed_experts="num_local_experts")
    config.choice("scoring_func", "sigmoid", ("sigmoid",))
    config.choice("topk_method", "noaux_tc", ("noaux_tc",))
    more, turns = _latent.attention(config, 4096, 128, config.bool("rope_interleave", True))
    n_layers = config.layers("num_hidden_layers", 61)
    layers = _experts.after_first(config, n_layers, 3)
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (turns,),
        **more,
        n_layers=n_layers,
        d_model=config.int("hidden_size", 7168),
        d_mlp=config.int("intermediate_size", 18432),
        vocab=config.int("vocab_size", 129280),
        **_experts.sigmoid(config, layers, {"n_experts": 256, "groups": (8, 4), "d_expert": 2048, "times": 2.5}),
    )
