"""M2M-100 (Fan 2020; also NLLB): pre-norm encoder and decoder for translation; sinusoidal positions skip padding."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder, Sinusoidal
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import MASK_STRIPS, S_NAMES, Recipe
from attnviz.families._unembed import Unembedding

NAMES = _seq2seq.names()
_LANGUAGES = (
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy"
    " id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru"
    " sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu"
)
TOKENIZERS = {
    "m2m100": Recipe(
        "{src_lang}:0 $A:0 {eos}:0",
        "{src_lang}:0 $A:0 $B:0 {eos}:0",
        special={**S_NAMES, "src_lang": "en"},
        vocab="numbered",
        spaces="own",
        back=tuple(_LANGUAGES.split()),
    ),
    "nllb": Recipe(
        "{src_lang}:0 $A:0 {eos}:0",
        "{src_lang}:0 $A:0 $B:0 {eos}:0",
        special={**S_NAMES, "src_lang": "eng_Latn"},
        vocab="json",
        flags=MASK_STRIPS,
    ),
}
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> EncoderDecoder:
    """M2M100Config. Positions begin after the padding id; padding has none and does not count."""
    config.rename(d_model="hidden_size")
    pad = config.int("pad_token_id", 1, low=0)
    config.int("d_model", 1024, low=4)
    config.skip("max_length")
    return _seq2seq.stacks(
        config,
        start=2,
        vocab=128112,
        activation="relu",
        embed_scale=_seq2seq.scaled(config, left_out=True),
        absolute=Sinusoidal(interleaved=False, offset=pad + 1, ends_at_base=True, zero_row=pad),
        pad_positions=pad,
        trained_positions=config.int("max_position_embeddings", 1024),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
    )
