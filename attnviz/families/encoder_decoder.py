"""Two BERT-like models made into an encoder and a decoder (Rothe 2020), such as BERT2BERT and RoBERTa shared."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from attnviz.engine.spec import EncoderDecoder, Spec
from attnviz.errors import one_of
from attnviz.families import family
from attnviz.families._config import Config
from attnviz.families._names import Source

# Model types whose blocks have BERT's names; decoders of other types name their cross-attention differently.
KINDS = (
    *("bert", "roberta", "camembert", "xlm-roberta", "electra", "ernie", "bert-generation", "megatron-bert", "rembert"),
    *("data2vec-text", "roberta-prelayernorm", "roformer", "xlm-roberta-xl"),
)
# The name of a decoder's own model inside the head that it is stored with.
_INSIDE = ("bert", "roberta", "electra", "ernie", "rembert", "roformer", "data2vec_text", "roberta_prelayernorm")
_SIDES = ("encoder", "decoder")
TYPICAL = {"encoder": {}, "decoder": {"is_decoder": True, "add_cross_attention": True}}


def _side(config: Config, side: str) -> tuple[ModuleType, Config]:
    own = config.sub(side)
    if own is None:
        raise config.error(f"{side} is missing: an object with the configuration of the {side}")
    kind = own.raw("model_type", "bert")
    if kind not in KINDS:
        raise own.error(one_of("model_type", kind, KINDS))
    return family(kind), own


def _in_decoder(stored: str) -> list[str]:
    return [f"decoder.{front}{stored}" for front in (*(f"{inside}." for inside in _INSIDE), "")]


def names(config: Config) -> dict[str, Source]:
    """Our names -> stored names of both sides; for cross-attention, `attention` in a name becomes `crossattention`."""
    encoder, decoder = (_side(config, side)[0].NAMES for side in _SIDES)
    tied = config.bool("tie_encoder_decoder")  # stored once, mostly on the decoder's side
    table: dict[str, Source] = {}
    for name, stored in encoder.items():
        table[f"encoder.{name}"] = [*(_in_decoder(stored) if tied else []), f"encoder.{stored}"]
    for name, stored in decoder.items():
        forms = _in_decoder(stored)
        table[f"decoder.{name}"] = [*forms, *([f"encoder.{stored}"] if tied else [])]
        part = name.removeprefix("layers.{i}.")
        if part.split(".")[0] in ("q", "k", "v", "o", "norm1"):
            ours = part.replace("norm1", "norm_cross") if part.startswith("norm1") else f"cross_{part}"
            table[f"decoder.layers.{{i}}.{ours}"] = [form.replace(".attention.", ".crossattention.") for form in forms]
    return table


def spec(config: Config) -> EncoderDecoder:
    """EncoderDecoderConfig."""
    config.skip("tie_encoder_decoder", "vocab_size")  # each side has its own vocabulary
    stacks: list[Spec] = []
    for side in _SIDES:
        module, own = _side(config, side)
        stack = module.spec(own)
        if side == "decoder" and not (own.bool("is_decoder") and own.bool("add_cross_attention")):
            raise own.error("is_decoder and add_cross_attention must be true: this decoder does not read the encoder")
        config.inside(own)
        stacks.append(stack)
    encoder, decoder = stacks
    if encoder.d_model != decoder.d_model:
        raise config.error(f"an encoder {encoder.d_model} wide with a decoder {decoder.d_model} wide is not handled")
    start = config.raw("decoder_start_token_id")
    start = start if type(start) is int and start >= 0 else None
    return EncoderDecoder(encoder, replace(decoder, cross=True), start)
