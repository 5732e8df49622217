"""Split a text as a model would, without the model: its tokenizer files are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.axis import Tokens
from attnviz.errors import InputError, ModelError, no_tokenizer
from attnviz.models import configs
from attnviz.models.find import DEFAULT, Place, find
from attnviz.models.hub import tokenizer_folder
from attnviz.models.load import from_place, seeded
from attnviz.models.model import Model
from attnviz.tokens.unknown import warn_of_unknown

if TYPE_CHECKING:
    from attnviz.checkpoints.base import Checkpoint
    from attnviz.models.base import Tokenizer


def tokenize(
    text: str, model: str | Path | Model | None = None, *, pair: str | None = None, offline: bool = False
) -> Tokens:
    """The tokens of a text as a model reads it, with the special tokens that the model adds.

    Args:
        text, pair: what is split.
        model: a name as for `load`, a folder with tokenizer files (neither weights nor config.json are needed), a GGUF
            file, or a Model. Default: tiny, the model inside the package.
        offline: never touch the network. From the Hub only the tokenizer files are fetched.

    Returns:
        labels as `.text`, vocabulary ids as `.ids`, and for each token its word, segment and span in the text.

    Raises:
        ModelError: there is no such model, or it has no tokenizer.
        CheckpointError: a tokenizer file is damaged, or does not say how a text is split.
        InputError: the text is empty.
    """
    if not isinstance(text, str):
        raise InputError(f"text must be a string; got {type(text).__name__}")
    reader = model if isinstance(model, Model) else splitter(model, offline)
    return reader.tokens(text, pair)


@dataclass(frozen=True, eq=False)
class Splitter:
    """The tokenizer of a model: a Model that cannot attend.

    name: what messages call it. folder: where its files lie. metadata: the keys of a GGUF file.
    """

    name: str
    tokenizer: Tokenizer | None
    folder: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def tokens(self, text: str | None = None, pair: str | None = None, ids: Sequence[int] | None = None) -> Tokens:
        """The tokens of a text, or the tokens with these ids. Raises InputError without a tokenizer."""
        if ids is not None:
            plain = Tokens.plain([str(int(i)) for i in ids], ids)
            return plain if self.tokenizer is None else self.tokenizer.describe(ids)
        if text is None:
            raise InputError("nothing to read: neither a text nor ids were given")
        if self.tokenizer is None:
            raise no_tokenizer(self.name)
        tokens = self.tokenizer.encode(text, pair).tokens
        warn_of_unknown(tokens, getattr(self.tokenizer, "unknown_ids", ()), self.name)
        return tokens

    def chat(self, text: str, date: str | None = None) -> list[int]:
        """The ids of a text as a user's turn, as `Model.chat` gives them."""
        from attnviz.tokens.chat import chat_ids

        return chat_ids(text, self.tokenizer, self.metadata or None, self.folder, self.name, date)


def splitter(source: str | Path | None = None, offline: bool = False, quiet: bool = False) -> Splitter | Model:
    """Open the tokenizer of a model by name, alias or path; no weights are opened.

    The models inside the package, and models whose words are beside their weights (.npz), are opened as Models.
    """
    if str(source) == "seeded":
        return seeded()
    place = find(DEFAULT if source is None else source, offline, quiet, tokenizer_folder)
    return _in_folder(place.path, place.name) if place.path.is_dir() else _in_file(place)


def _in_folder(folder: Path, name: str) -> Splitter:
    from attnviz.tokens import load_tokenizer

    is_model = (folder / "config.json").is_file()
    tokenizer = load_tokenizer(folder, configs.read_config(folder) if is_model else {})
    if tokenizer is None and not is_model:
        raise ModelError(
            f"{name} holds no tokenizer that attnviz reads",
            "wanted tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece .model",
        )
    return Splitter(name, tokenizer, folder)


def _in_file(place: Place) -> Splitter | Model:
    """The tokenizer inside a GGUF file, or beside a file of weights."""
    from attnviz.checkpoints import open_checkpoint
    from attnviz.tokens.gguf import load_gguf_tokenizer

    path = place.path
    if path.suffix not in (".gguf", ".npz"):
        return _in_folder(path if path.is_dir() else path.parent, place.name)
    checkpoint: Checkpoint = open_checkpoint(path)
    metadata = checkpoint.config or {}
    if metadata.get("model_type") == "npz":
        return from_place(place)
    return Splitter(place.name, load_gguf_tokenizer(metadata, path.name), None, metadata)
