"""Models that read images and text.

The language model inside belongs to another family, and reads a text as it would alone.

The file of a family like this is one line: `language, names, spec = _wrapper.reading("llama")`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

from attnviz.engine.spec import Spec
from attnviz.errors import ConfigError, shown
from attnviz.families import family, names_of
from attnviz.families._config import Config
from attnviz.families._names import Source

# Keys of the whole model besides its language model. None of them changes how a text without images is read.
OUTER = (
    "vision_config audio_config image_token_id image_token_index video_token_id video_token_index vision_token_id "
    "vision_start_token_id vision_end_token_id boi_token_index eoi_token_index boi_token_id eoi_token_id "
    "projector_hidden_act multimodal_projector_bias vision_feature_layer vision_feature_select_strategy "
    "ignore_index image_seq_length mm_tokens_per_image spatial_merge_size image_grid_pinpoints "
    "text_config model_type architectures auto_map transformers_version dtype torch_dtype"
).split()


def reading(
    kind: str, tied: bool = False
) -> tuple[Callable[[Config], Config], Callable[[Config], Mapping[str, Source]], Callable[[Config], Spec]]:
    """The three functions of a family's file: the language model's configuration, its tensors' names, and its Spec.

    kind, tied: as for `_language`. Texts alone are read, no images.
    """

    def language(config: Config) -> Config:
        return _language(config, kind, tied)

    return language, lambda config: _names(language(config)), lambda config: _spec(config, language(config))


def _language(config: Config, kind: str, tied: bool = False) -> Config:
    """The configuration of the language model: `text_config`, or in older files the keys beside `vision_config`.

    kind: its model_type if the file names none. tied: the whole model's tie_word_embeddings if left out.
    """
    text = config.raw("text_config")
    if text is None:
        own = {key: value for key, value in config.data.items() if key not in OUTER}
        config.skip(*own)
        data = {**own, "model_type": kind}
        inner = Config(data, config.where, config.reference.within(data))
    elif isinstance(text, dict):
        inner = config.nested("text_config", {"model_type": kind, **text})
        inner.data["tie_word_embeddings"] = bool(
            config.bool("tie_word_embeddings", tied) or inner.bool("tie_word_embeddings")
        )
    else:
        config.sub("text_config")  # refuses a value that is not an object
        raise AssertionError
    config.skip(*OUTER, "vocab_size")
    return inner


def _spec(config: Config, own: Config) -> Spec:
    """The Spec of the language model `own` inside `config`."""
    inner = _module(own).spec(own)
    if not isinstance(inner, Spec) or not inner.vocab:
        raise own.error(f"model_type {shown(own.data['model_type'])} is no language model")
    config.inside(own)
    return inner


def _names(own: Config) -> Mapping[str, Source]:
    """Our names -> the language model's stored names; a prefix in front of them is detected later."""
    return names_of(_module(own), own)


def _module(own: Config) -> ModuleType:
    kind = own.data["model_type"]
    if not isinstance(kind, str):
        raise own.error(f"model_type must be a name; got {shown(kind)}")
    try:
        module = family(kind)
    except ConfigError as error:
        raise own.error(str(error), error.hint) from None
    if hasattr(module, "language"):
        raise own.error(f"model_type {shown(kind)} is no language model")
    return module
