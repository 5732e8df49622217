"""Phi as first published (Gunasekar 2023): its own code's names, with queries, keys and values fused."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import Source, fused, pairs
from attnviz.families._unembed import Unembedding

ALIASES = ("mixformer_sequential",)
UNEMBED = Unembedding()
_LAYER = {"norm1": "ln", "o": "mixer.out_proj", "up": "mlp.fc1", "down": "mlp.fc2"}


def names(config: Config) -> dict[str, Source]:
    """Our names -> stored names.

    phi-1 and phi-1.5 number their modules in one sequence: embeddings are 0, the head comes last.
    """
    if not str(config.data.get("model_type", "")).startswith("mixformer"):
        return {
            "embed.tokens": "transformer.embd.wte.weight",
            **fused("transformer.h.{i}.mixer.Wqkv"),
            **pairs(_LAYER, "layers.{i}.", "transformer.h.{i}."),
            **pairs({"final_norm": "lm_head.ln", "unembed": "lm_head.linear"}),
        }
    n_layers = _n_layers(config)
    table: dict[str, Source] = {"embed.tokens": "layers.0.wte.weight"}
    for i in range(n_layers):
        table |= fused(f"layers.{i + 1}.mixer.Wqkv", f"layers.{i}.")
        table |= pairs(_LAYER, f"layers.{i}.", f"layers.{i + 1}.")
    return table | pairs({"final_norm": f"layers.{n_layers + 1}.ln", "unembed": f"layers.{n_layers + 1}.linear"})


def _n_layers(config: Config) -> int:
    config.rename(n_layer="num_hidden_layers")
    return config.layers("n_layer", 20)


def spec(config: Config) -> Spec:
    """The PhiConfig and MixFormerSequentialConfig of the published code; the table of tokens is padded to 64 rows."""
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_positions="max_position_embeddings")
    d_model, n_heads = config.int("n_embd", 1024), config.heads("n_head", 16)
    config.divides("n_head", n_heads, "n_embd", d_model)
    n_kv_heads = config.heads("n_head_kv", n_heads)
    config.divides("n_head_kv", n_kv_heads, "n_head", n_heads)
    blocks = config.sub("architecture")
    if blocks is not None:
        blocks.choice("block_cls", "parallel", ("parallel",))
        for part, classes in (("mixer", ("mha",)), ("mlp", ("mlp", "fused_mlp"))):
            own = blocks.sub(part)
            if own is not None:
                own.choice(f"{part}_cls", classes[0], classes)
    config.choice("embd_layer", "default", ("default",))
    config.skip("flash_attn", "flash_rotary", "fused_dense", "img_processor", "phyagi_version")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    multiple = config.int("pad_vocab_size_multiple", 64)
    dim = config.int("rotary_dim", 32, high=d_model // n_heads)
    if dim % 2:
        raise config.error(f"rotary_dim must be even; got {dim}")
    return Spec(
        n_layers=_n_layers(config),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_model=d_model,
        d_mlp=config.int("n_inner", 4 * d_model),
        vocab=-(-config.int("vocab_size", 50304) // multiple) * multiple,
        trained_positions=config.int("n_positions", 2048),
        rotary=(Rotary(dim),),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        parallel="shared",
        **biases(True, True, True, True),
        activation=config.activation("activation_function", "gelu_new"),
    )
