"""mBART (Liu 2020): BART with norms before its sublayers, and one after each stack."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import FAIRSEQ, MASK_STRIPS, S_NAMES, Recipe

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED
_MBART_LANGUAGES = (
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX"
    " ro_RO ru_RU si_LK tr_TR vi_VN zh_CN"
)
_MBART50_LANGUAGES = (
    _MBART_LANGUAGES + " af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF"
    " pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"
)


def _recipe(single: str, pair: str, languages: str) -> Recipe:
    """A SentencePiece vocabulary followed by language tokens, one of which the template contains."""
    special, back = {**S_NAMES, "src_lang": "en_XX"}, (*languages.split(), "<mask>")
    return Recipe(single, pair, special, flags=MASK_STRIPS, front=FAIRSEQ, skip=3, back=back)


TOKENIZERS = {
    "mbart": _recipe("$A:0 {eos}:0 {src_lang}:0", "$A:0 $B:0 {eos}:0 {src_lang}:0", _MBART_LANGUAGES),
    "mbart50": _recipe("{src_lang}:0 $A:0 {eos}:0", "{src_lang}:0 $A:0 $B:0 {eos}:0", _MBART50_LANGUAGES),
}


def spec(config: Config) -> EncoderDecoder:
    """MBartConfig."""
    config.rename(d_model="hidden_size")
    places = Learned(config.int("max_position_embeddings", 1024) + 2, offset=2)
    return _seq2seq.stacks(
        config,
        vocab=50265,
        absolute=places,
        embed_norm=_seq2seq.PLAIN,
        embed_scale=_seq2seq.scaled(config),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
    )
