"""Tokens outside of a vocabulary file: special tokens by name, and tokens that were added after training.

Files are trusted in the order of transformers: `added_tokens_decoder` of tokenizer_config.json, and
special_tokens_map.json and added_tokens.json only where that key is missing (folders saved before autumn 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families._recipes import Recipe
from attnviz.tokens.reading import content, read_json
from attnviz.tokens.tokenizer import short

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

KINDS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")
# Limits of added tokens, and of their characters together: several times the largest published.
MOST, LONGEST = 200_000, 4_000_000


@dataclass(frozen=True)
class Added:
    """A token found in a text before the text is split.

    lstrip, rstrip: whether it takes the white space before or after it. single_word: found only between characters that
    are no letters.
    normalized: whether it is searched for after the normaliser. special: whether labels may leave it out.
    """

    name: str
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False
    special: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Added:
        """A token as tokenizer_config.json writes it; flags that are left out are off, except `normalized`."""
        flags = {flag: value.get(flag, False) is True for flag in _FLAGS}
        flags["normalized"] = value.get("normalized", not flags["special"]) is True
        return cls(content(value), **flags)

    def backend(self) -> Any:
        """The token as an object of the `tokenizers` library."""
        from tokenizers import AddedToken

        return AddedToken(self.name, **{flag: getattr(self, flag) for flag in _FLAGS})


@dataclass(frozen=True)
class Names:
    """The special and added tokens in a folder's small files.

    special: kind -> token, None if a file says that there is none. extra: further special tokens, in order.
    added: id -> token. src_lang: the language of the text, in families with languages.
    """

    special: Mapping[str, Added | None] = field(default_factory=dict)
    extra: Sequence[Added] = ()
    added: Mapping[int, Added] = field(default_factory=dict)
    src_lang: str = ""

    def plain(self) -> dict[str, str]:
        """Names of special tokens by kind, for templates."""
        names = {kind: token.name for kind, token in self.special.items() if token is not None}
        return {**names, "src_lang": self.src_lang} if self.src_lang else names


def read_names(folder: Path, options: Mapping[str, Any], recipe: Recipe | None = None) -> Names:
    """Read the special and added tokens of a folder as transformers' fast tokenizers do.

    options: tokenizer_config.json. recipe: the class's default names of special tokens.
    """
    old_map = read_json(folder / "special_tokens_map.json", optional=True)
    old_added = read_json(folder / "added_tokens.json", optional=True)
    is_new = isinstance(options.get("added_tokens_decoder"), dict)
    stated = dict(options) if is_new else {**options, **{key: value for key, value in old_map.items() if value}}
    special: dict[str, Added | None] = {}
    for kind, name in (recipe.special if recipe is not None else {}).items():
        special[kind] = _named(name, kind, recipe)
    for kind in KINDS:
        if f"{kind}_token" in stated:
            special[kind] = _special(stated[f"{kind}_token"], kind, recipe)
    more = stated.get("additional_special_tokens") or stated.get("extra_special_tokens")
    extra = [token for entry in more if (token := _special(entry, "", None))] if isinstance(more, list) else []
    _few([token.name for token in extra], "additional_special_tokens")
    added = _from_decoder(options["added_tokens_decoder"]) if is_new else _from_map(old_added, special, extra)
    by_name = {token.name: token for token in added.values()}
    for kind, token in special.items():
        if token is not None and token.name in by_name:
            special[kind] = replace(by_name[token.name], special=True)
    return Names(special, extra, added, content(stated.get("src_lang")))


def _special(value: object, kind: str, recipe: Recipe | None) -> Added | None:
    """A special token in a file; a mask token written as a bare name gets the flags of the tokenizer's class."""
    if isinstance(value, dict):
        token = Added.of(value)
        return replace(token, special=True) if token.name else None
    name = content(value)
    return _named(name, kind, recipe) if name else None


def _named(name: str, kind: str, recipe: Recipe | None) -> Added:
    """A special token written as a bare name; the class may add flags."""
    flags = recipe.flags.get(kind, ()) if recipe is not None else ()
    return Added(name, special=True, **dict.fromkeys(flags, True))


def _from_decoder(decoder: Mapping[str, Any]) -> dict[int, Added]:
    _few([content(value) for value in decoder.values()], "tokenizer_config.json")
    tokens = {}
    for key, value in decoder.items():
        if str(key).isdecimal() and len(str(key)) < 10 and isinstance(value, dict) and content(value):
            tokens[int(key)] = Added.of(value)
    return tokens


def _from_map(
    old_added: Mapping[str, Any], special: Mapping[str, Added | None], extra: Sequence[Added]
) -> dict[int, Added]:
    _few(list(old_added), "added_tokens.json")
    names = {token.name for token in (*special.values(), *extra) if token is not None}
    return {
        i: Added(name, normalized=name not in names, special=name in names)
        for name, i in old_added.items()
        if type(i) is int and name
    }


def _few(names: Sequence[str], source: str) -> None:
    """Raise CheckpointError if reading the tokens would take long, or much memory."""
    if len(names) > MOST:
        raise CheckpointError(f"{source} adds {len(names):,} tokens; at most {MOST:,} are read")
    length = sum(map(len, names))
    if length > LONGEST:
        raise CheckpointError(f"{source} adds tokens of {length:,} characters; at most {LONGEST:,} are read")


def complete(backend: Backend, names: Names, pieces: Sequence[Added] = ()) -> None:
    """Add special and added tokens to a pipeline; a special token that its vocabulary lacks gets the next id.

    pieces: tokens that the vocabulary itself marks as special, as SentencePiece does.
    """
    have = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    special = {token.name for token in (*names.special.values(), *names.extra) if token is not None}
    wanted = {token.name: token for token in pieces}
    for _, token in sorted(names.added.items()):
        old = have.get(token.name)
        if old is None or any(getattr(old, flag) != getattr(token, flag) for flag in _FLAGS):
            wanted[token.name] = replace(token, special=token.special or token.name in special)
    ordered = [names.special.get(kind) for kind in KINDS]
    for named in (*ordered, *names.extra):
        if named is not None and named.name not in have and (named.name not in wanted or named.lstrip or named.rstrip):
            wanted[named.name] = named
    try:
        backend.add_tokens([token.backend() for token in wanted.values()])
    except BaseException as error:  # a panic of the library's derives from BaseException
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise CheckpointError(f"the added tokens cannot be read: {short(error)}") from None
