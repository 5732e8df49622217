"""Which tokenizer files a folder has, and the Tokenizer they make.

Files come from strangers: their size is checked before they are read, and whatever they hold ends in a Tokenizer or in
one line that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families import recipe as recipe_of
from attnviz.families._recipes import Recipe, around, recipe_name
from attnviz.tokens.tokenizer import RefusedTokenizer, Tokenizer, short

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

# Several times the largest published file of each sort.
_LIMITS = {"tokenizer.json": 256 << 20, ".json": 64 << 20, ".txt": 64 << 20, ".model": 32 << 20, ".spm": 32 << 20}
_SPM_FILES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model", "sentencepiece.model")
_KINDS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


class _Unknown(CheckpointError):
    """The files are sound, but do not say how a text is split."""


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> Tokenizer | RefusedTokenizer | None:
    """The tokenizer of a checkpoint folder, or None if it has no tokenizer files (the model then takes only ids).

    Looked for in this order: tokenizer.json; source.spm + vocab.json; vocab.txt; vocab.json + merges.txt; a
    SentencePiece .model. config: the model's config.json, for its `model_type`.

    A folder made for a tokenizer that attnviz does not build gives one that refuses texts and takes ids.
    Raises CheckpointError: a file is damaged or too large.
    """
    try:
        return _load(Path(folder), config)
    except _Unknown as error:
        return RefusedTokenizer(CheckpointError(str(error), error.hint))


def _load(folder: Path, config: Mapping[str, Any]) -> Tokenizer | None:
    options = read_json(folder / "tokenizer_config.json", optional=True)
    name = recipe_name(str(options.get("tokenizer_class") or ""), str(config.get("model_type") or ""))
    if (folder / "tokenizer.json").is_file():
        return _tokenizer_json(folder / "tokenizer.json", name, options)
    names = special_names(folder, options)
    if (folder / "source.spm").is_file() and (folder / "vocab.json").is_file():
        return _marian(folder, names)
    if (folder / "vocab.txt").is_file():
        return _vocab_txt(folder, name, names, options)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return _vocab_and_merges(folder, name, names, options)
    model = next((path for file in _SPM_FILES if (path := folder / file).is_file()), None)
    return _sentencepiece(model, name, names, options) if model is not None else None


def _tokenizer_json(path: Path, name: str, options: Mapping[str, Any]) -> Tokenizer:
    text = file_text(path)
    with _Guard(path.name):
        from tokenizers import Tokenizer as Backend

        backend = Backend.from_str(text)
        known = recipe_of(name)
        if known is None or known.is_decoder:
            _apply_bos_eos(backend, options)
        return Tokenizer(backend, path.name)


def _apply_bos_eos(backend: Backend, options: Mapping[str, Any]) -> None:
    """add_bos_token and add_eos_token of tokenizer_config.json, where they differ from the file's own template.

    They are a decoder's options: a tokenizer that puts anything else around a text is left as it is.
    """
    from attnviz.tokens.build import set_template

    asked = {kind: options.get(f"add_{kind}_token") for kind in ("bos", "eos")}
    if not any(isinstance(value, bool) for value in asked.values()):
        return
    names = {kind: name for kind in asked if (name := _content(options.get(f"{kind}_token")))}
    ids = {kind: backend.token_to_id(name) for kind, name in names.items()}
    present = backend.encode("").ids
    if any(i not in ids.values() for i in present) or len(present) > 2:
        return
    add = {kind: asked[kind] is True and ids.get(kind) is not None for kind in asked}
    if present != [i for kind, i in ids.items() if add[kind]]:
        backend.post_processor = None
        set_template(backend, *around(add["bos"], add["eos"]), names, "tokenizer.json")


def _vocab_txt(folder: Path, name: str, names: Mapping[str, str], options: Mapping[str, Any]) -> Tokenizer:
    path = folder / "vocab.txt"
    recipe = _recipe(name, "bert", ("wordpiece", "characters"), path.name)
    vocab = {line: i for i, line in enumerate(file_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n"))}
    return _finish(path.name, recipe, names, options, lambda b, n: b.from_vocab_txt(vocab, recipe, n, options), folder)


def _vocab_and_merges(folder: Path, name: str, names: Mapping[str, str], options: Mapping[str, Any]) -> Tokenizer:
    recipe = _recipe(name, "gpt2", ("bytes", "suffix", "clip"), "vocab.json and merges.txt")
    vocab = _vocab_json(folder / "vocab.json")
    lines = file_text(folder / "merges.txt").replace("\r\n", "\n").split("\n")
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise CheckpointError(f"merges.txt must have two pieces a line; got {short(' '.join(wrong), 60)!r}")
    merges = [(left, right) for left, right in pairs]
    source = "vocab.json with merges.txt"
    return _finish(
        source, recipe, names, options, lambda b, n: b.from_merges(vocab, merges, recipe, n, options), folder
    )


def _sentencepiece(path: Path, name: str, names: Mapping[str, str], options: Mapping[str, Any]) -> Tokenizer:
    from attnviz.tokens import sentencepiece as spm

    recipe = _recipe(name, "", ("",), path.name)
    model = spm.parse(_bytes(path), path.name)
    return _finish(
        path.name, recipe, names, options, lambda _, __: spm.build(model, recipe, options, path.name), path.parent
    )


def _marian(folder: Path, names: Mapping[str, str]) -> Tokenizer:
    """Two SentencePiece models, one for each language, whose pieces vocab.json numbers."""
    from attnviz.tokens import sentencepiece as spm
    from attnviz.tokens.build import set_template

    recipe = recipe_of("marian")
    assert recipe is not None
    vocab = _vocab_json(folder / "vocab.json")
    all_names = {**recipe.special, **names}

    def one(path: Path, numbers: dict[str, int], target: Tokenizer | None = None) -> Tokenizer:
        model = spm.parse(_bytes(path), path.name)
        with _Guard(path.name):
            from tokenizers import AddedToken

            backend = spm.build(model, recipe, {}, path.name)
            languages = sorted(token for token in numbers if token.startswith(">>") and token.endswith("<<"))
            special = [all_names["eos"], all_names["pad"], *languages]
            backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
            set_template(backend, recipe.single, recipe.pair, all_names, path.name)
            return Tokenizer(backend, path.name, target, numbers)

    other = folder / "target_vocab.json"
    numbers = _vocab_json(other) if other.is_file() else vocab
    target = one(folder / "target.spm", numbers) if (folder / "target.spm").is_file() else None
    return one(folder / "source.spm", vocab, target)


def _finish(
    source: str, recipe: Recipe, names: Mapping[str, str], options: Mapping[str, Any], make: Any, folder: Path
) -> Tokenizer:
    """Build the pipeline, then add the tokens that the other files name and the template."""
    from attnviz.tokens import build

    names = {**recipe.special, **names}
    if recipe.is_decoder:
        bos = options.get("add_bos_token", "{bos}" in recipe.single)
        single, pair = around(bos is True, options.get("add_eos_token") is True)
        recipe = replace(recipe, single=single, pair=pair)
    with _Guard(source):
        backend = make(build, names)
        _add_later_tokens(backend, folder, options)
        build.add_special(backend, recipe, names, source)
        return Tokenizer(backend, source)


def _add_later_tokens(backend: Backend, folder: Path, options: Mapping[str, Any]) -> None:
    """Tokens added after training, with their ids: added_tokens.json, or added_tokens_decoder in the config."""
    from tokenizers import AddedToken

    found: dict[int, AddedToken] = {}
    for name, i in read_json(folder / "added_tokens.json", optional=True).items():
        if isinstance(i, int):
            found[i] = AddedToken(name, normalized=False, special=False)
    decoder = options.get("added_tokens_decoder")
    for key, value in decoder.items() if isinstance(decoder, dict) else ():
        if str(key).isdecimal() and isinstance(value, dict) and _content(value):
            flags = {
                flag: value.get(flag) is True for flag in ("lstrip", "rstrip", "single_word", "normalized", "special")
            }
            found[int(key)] = AddedToken(_content(value), **flags)
    for i in sorted(found):
        # The library numbers added tokens one after the other: a gap would shift all that follow.
        if backend.token_to_id(found[i].content) is not None or i == backend.get_vocab_size():
            backend.add_tokens([found[i]])


def _recipe(name: str, default: str, kinds: tuple[str, ...], source: str) -> Recipe:
    """The table's entry for a family. A family that the table lacks, or that has other files, is refused.

    Splitting its text by another family's rules would give a wrong picture without a word.
    """
    recipe = recipe_of(name or default)
    if recipe is None or recipe.vocab not in kinds:
        raise _Unknown(
            f"how {name or 'this model'} splits a text cannot be told from {source} alone",
            "save its tokenizer as tokenizer.json, or give token ids (--ids)",
        )
    return recipe


def special_names(folder: Path, options: Mapping[str, Any]) -> dict[str, str]:
    """The names of special tokens that the files state: tokenizer_config.json over special_tokens_map.json."""
    stated = {**read_json(folder / "special_tokens_map.json", optional=True), **options}
    found = {kind: name for kind in _KINDS if (name := _content(stated.get(f"{kind}_token")))}
    if name := _content(stated.get("src_lang")):
        found["src_lang"] = name
    return found


def _content(token: object) -> str:
    """A token's name, written plainly or as {"content": ...}."""
    name = token.get("content") if isinstance(token, dict) else token
    return name if isinstance(name, str) else ""


def _vocab_json(path: Path) -> dict[str, int]:
    vocab = read_json(path)
    wrong = next((name for name, i in vocab.items() if type(i) is not int or not 0 <= i < 2**31), None)
    if wrong is not None:
        raise CheckpointError(f"{path.name} must give each token a number; got {short(vocab[wrong], 40)!r}")
    if not vocab:
        raise CheckpointError(f"{path.name} is empty")
    return vocab


def read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    """A JSON object from a file; {} if it is optional and missing."""
    if optional and not path.is_file():
        return {}
    try:
        found = json.loads(file_text(path))
    except RecursionError:
        raise CheckpointError(f"{path.name} is nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"{path.name} is not JSON: {short(error)}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name} must hold a JSON object; got {type(found).__name__}")
    return found


def file_text(path: Path) -> str:
    """A small file's text. Raises CheckpointError if it is too large, unreadable or not UTF-8."""
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is not UTF-8 (byte {error.start})") from None


def _bytes(path: Path) -> bytes:
    limit = _LIMITS.get(path.name) or _LIMITS.get(path.suffix, 64 << 20)
    try:
        size = path.stat().st_size
        if size > limit:
            raise CheckpointError(f"{path.name} has {size:,} bytes; at most {limit:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}") from None


class _Guard:
    """Turns whatever the library raises while a file is turned into a pipeline into one line that names the file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        stop = (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit)
        if error is not None and not isinstance(error, stop):
            raise CheckpointError(f"{self.source} is not a tokenizer: {short(error)}") from None
