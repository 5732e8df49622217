"""Find a folder's tokenizer files, and build the Tokenizer from them.

Files are untrusted: their size is checked before they are read, and any content gives a Tokenizer or a one-line error
that names the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families import recipe as recipe_of
from attnviz.families._recipes import Recipe, around, recipe_name
from attnviz.tokens import budget
from attnviz.tokens.added import Added, Names, complete, read_names
from attnviz.tokens.classes import apply
from attnviz.tokens.reading import Guard, file_bytes, file_text, read_json, vocab_json
from attnviz.tokens.tokenizer import RefusedTokenizer, Tokenizer, short

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

    from attnviz.tokens.spaces import Model

SPM_FILES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model", "sentencepiece.model")

_GIVE_IDS = "give token ids (--ids)"
_SAVE_OR_GIVE_IDS = f"save its tokenizer as tokenizer.json, or {_GIVE_IDS}"
_NAME_THE_CLASS = "tokenizer_config.json should name the tokenizer_class, or config.json the model_type"


class _Unknown(CheckpointError):
    """Raised for valid files that do not say how a text is split."""


@dataclass(frozen=True)
class Folder:
    """A checkpoint folder and the content of its small files.

    name: the key of the tokenizer's class; options: tokenizer_config.json; recipe: the additions of the class, if it is
    known.
    """

    path: Path
    name: str
    options: Mapping[str, Any]
    recipe: Recipe | None
    names: Names

    @classmethod
    def of(cls, path: Path, config: Mapping[str, Any]) -> Folder:
        options = read_json(path / "tokenizer_config.json", optional=True)
        classes = (options.get("tokenizer_class"), config.get("tokenizer_class"))
        stated = next((name for name in classes if isinstance(name, str) and name), "")
        is_generic = bool(stated) and not recipe_name(stated, "") and (path / "tokenizer.json").is_file()
        name = recipe_name(stated, "" if is_generic else str(config.get("model_type") or ""))
        recipe = recipe_of(name) if name else None
        return cls(path, name, options, recipe, read_names(path, options, recipe))

    def has(self, *files: str) -> bool:
        return all((self.path / file).is_file() for file in files)


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> Tokenizer | RefusedTokenizer | None:
    """The tokenizer of a checkpoint folder, or None if it has no tokenizer files (the model then takes only ids).

    Files, in order: tokenizer.json; then the files that the tokenizer's class writes, among source.spm + vocab.json,
    vocab.txt, vocab.json + merges.txt, and a SentencePiece .model. config: the model's config.json, for
    `tokenizer_class` and `model_type`.

    A folder for a tokenizer that attnviz cannot build gives a Tokenizer that refuses texts and takes ids. Raises
    CheckpointError: a file is damaged or too large.
    """
    try:
        return _load(Folder.of(Path(folder), config))
    except _Unknown as error:
        return RefusedTokenizer(CheckpointError(str(error), error.hint))


def _load(folder: Folder) -> Tokenizer | None:
    if folder.recipe is not None and folder.recipe.beyond:
        raise _Unknown(f"how {folder.name} splits a text is not in its files: {folder.recipe.beyond}", _GIVE_IDS)
    if folder.has("tokenizer.json"):
        return _tokenizer_json(folder)
    model = next((file for file in SPM_FILES if folder.has(file)), None)
    present = {
        "marian": folder.has("source.spm", "vocab.json"),
        "numbered": model is not None and folder.has("vocab.json"),
        "vocab.txt": folder.has("vocab.txt"),
        "merges": folder.has("vocab.json", "merges.txt"),
        "pieces": model is not None,
    }
    kind = _FILES_OF.get(folder.recipe.vocab, "") if folder.recipe is not None else ""
    present["numbered"] &= kind == "numbered"  # other classes have merges beside vocab.json, or no vocab.json
    ways = [kind] * present.get(kind, False) + [way for way in present if present[way]]
    if not ways:
        if folder.has("bpe_encoder.bin"):
            raise _Unknown("bpe_encoder.bin is a pickled vocabulary, which is not read", _SAVE_OR_GIVE_IDS)
        return None
    if ways[0] == "marian":
        return _marian(folder)
    if ways[0] == "numbered":
        return _numbered(folder, str(model))
    if ways[0] == "vocab.txt":
        return _vocab_txt(folder)
    if ways[0] == "merges":
        return _vocab_and_merges(folder)
    assert model is not None
    return _sentencepiece(folder, model)


# The files of each kind of vocabulary that a recipe may name.
_FILES_OF = {"wordpiece": "vocab.txt", "characters": "vocab.txt", "numbered": "numbered", "": "pieces"} | dict.fromkeys(
    ("bytes", "suffix", "clip"), "merges"
)


def _tokenizer_json(folder: Folder) -> Tokenizer:
    source = "tokenizer.json"
    text = file_text(folder.path / source)
    budget.check_file(text, source)
    with Guard(source):
        from tokenizers import Tokenizer as Backend

        backend = Backend.from_str(text)
        budget.check_parts(backend, source)
        if getattr(backend.model, "dropout", None) is not None:
            backend.model.dropout = None  # dropout is for training: ids would differ from run to run
        complete(backend, _with_family(folder))
        if folder.recipe is not None:
            apply(backend, folder.recipe, folder.options, {**folder.recipe.special, **folder.names.plain()})
        return Tokenizer(backend, source)


def _with_family(folder: Folder) -> Names:
    """The folder's names of special tokens, and the special pieces that its tokenizer's class always has."""
    recipe, names = folder.recipe, folder.names
    if recipe is None or recipe.vocab == "numbered" or not (recipe.front or recipe.back):
        return names
    from attnviz.tokens.sentencepiece import family_pieces

    return replace(names, extra=[*names.extra, *family_pieces(recipe, folder.options)])


def _vocab_txt(folder: Folder) -> Tokenizer:
    source = "vocab.txt"
    recipe = _recipe(folder, ("wordpiece", "characters"), source)
    lines = file_text(folder.path / source).replace("\r\n", "\n").removesuffix("\n").split("\n")
    vocab = {line: i for i, line in enumerate(lines)}
    names = {**recipe.special, **folder.names.plain()}
    if names.get("unk") not in vocab:
        raise CheckpointError(f"{source} has no token {names.get('unk')!r}, which stands for unknown words")
    with Guard(source):
        from attnviz.tokens import build

        backend = build.from_vocab_txt(vocab, recipe, names, folder.options)
        return _finished(backend, folder, recipe, source)


def _vocab_and_merges(folder: Folder) -> Tokenizer:
    source = "vocab.json with merges.txt"
    recipe = _recipe(folder, ("bytes", "suffix", "clip"), "vocab.json and merges.txt")
    vocab = vocab_json(folder.path / "vocab.json")
    lines = file_text(folder.path / "merges.txt").replace("\r\n", "\n").split("\n")
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise CheckpointError(f"merges.txt must have two pieces a line; got {short(' '.join(wrong), 60)!r}")
    merges = [(left, right) for left, right in pairs]
    lost = next((pair for pair in merges if any(piece not in vocab for piece in (*pair, "".join(pair)))), None)
    if lost is not None:
        joined = short(" and ".join(lost), 60)
        raise CheckpointError(f"merges.txt joins {joined}, but vocab.json lacks one of them, or what they make")
    with Guard(source):
        from attnviz.tokens import build

        names = {**recipe.special, **folder.names.plain()}
        backend = build.from_merges(vocab, merges, recipe, names, folder.options)
        return _finished(backend, folder, recipe, source)


def _sentencepiece(folder: Folder, file: str) -> Tokenizer:
    from attnviz.tokens import sentencepiece as spm

    recipe = _recipe(folder, ("",), file)
    model = spm.parse(file_bytes(folder.path / file), file)
    with Guard(file):
        backend = spm.build(model, recipe, folder.options, file)
        return _finished(backend, folder, recipe, file, spm.added_pieces(model, recipe, folder.options))


def _finished(backend: Backend, folder: Folder, recipe: Recipe, source: str, pieces: Sequence[Added] = ()) -> Tokenizer:
    """Add the special and added tokens that other files name, and the template."""
    from attnviz.tokens.build import set_template

    if recipe.is_decoder:
        bos = folder.options.get("add_bos_token", "{bos}" in recipe.single)
        single, pair = around(bos is True, folder.options.get("add_eos_token") is True)
        recipe = replace(recipe, single=single, pair=pair)
    complete(backend, folder.names, pieces)
    set_template(backend, recipe.single, recipe.pair, {**recipe.special, **folder.names.plain()}, source)
    return Tokenizer(backend, source)


def _marian(folder: Folder) -> Tokenizer:
    """Two SentencePiece models, one for each language, whose pieces vocab.json numbers."""
    from attnviz.tokens import sentencepiece as spm
    from attnviz.tokens.build import set_template

    recipe = recipe_of("marian")
    assert recipe is not None
    path = folder.path
    vocab = vocab_json(path / "vocab.json")
    names = {**recipe.special, **folder.names.plain()}

    def half(file: str, numbers: dict[str, int], target: Tokenizer | None = None) -> Tokenizer:
        with Guard(file):
            backend = spm.build(_without_control(folder, file), recipe, {}, file, own=True)
            languages = sorted(token for token in numbers if token.startswith(">>") and token.endswith("<<"))
            special = [*(names[kind] for kind in ("eos", "unk", "pad")), *languages]
            complete(backend, Names(), [Added(token, special=True) for token in special])
            set_template(backend, recipe.single, recipe.pair, names, file)
            return Tokenizer(backend, file, target, numbers)

    numbers = vocab_json(path / "target_vocab.json") if folder.has("target_vocab.json") else vocab
    target = half("target.spm", numbers) if folder.has("target.spm") else None
    return half("source.spm", vocab, target)


def _without_control(folder: Folder, file: str) -> Model:
    """A SentencePiece model whose control pieces are not recognised in texts: a written <s> is three characters."""
    from attnviz.tokens import sentencepiece as spm

    model = spm.parse(file_bytes(folder.path / file), file)
    pieces = [("\0" + text if kind == spm.CONTROL else text, score, kind) for text, score, kind in model.pieces]
    return replace(model, pieces=pieces)


def _numbered(folder: Folder, file: str) -> Tokenizer:
    """A SentencePiece model whose pieces vocab.json numbers, followed by a token for each language."""
    from attnviz.tokens import sentencepiece as spm
    from attnviz.tokens.build import set_template

    recipe = _recipe(folder, ("numbered",), file)
    if folder.options.get("language_codes", "m2m100") != "m2m100":
        raise _Unknown(
            f"the languages {short(folder.options['language_codes'], 40)} of this tokenizer are not known",
            _SAVE_OR_GIVE_IDS,
        )
    vocab = vocab_json(folder.path / "vocab.json")
    languages = {f"__{code}__": len(vocab) + i for i, code in enumerate(recipe.back)}
    names = {**recipe.special, **folder.names.plain()}
    names["src_lang"] = f"__{names['src_lang']}__"
    plain = replace(recipe, back=())
    with Guard(file):
        backend = spm.build(_without_control(folder, file), plain, {}, file, own=True)
        special = [*(names[kind] for kind in ("bos", "eos", "unk", "pad")), *languages]
        complete(backend, Names(), [Added(token, special=True) for token in special])
        set_template(backend, recipe.single, recipe.pair, names, file)
        return Tokenizer(backend, file, None, {**vocab, **languages})


def _recipe(folder: Folder, kinds: tuple[str, ...], source: str) -> Recipe:
    """The recipe of the tokenizer's class. A class that no family knows, or that has other files, is refused.

    Splitting a text by another family's rules would silently give a wrong picture.
    """
    recipe = folder.recipe
    if recipe is None or recipe.vocab not in kinds:
        hint = _SAVE_OR_GIVE_IDS if folder.name else _NAME_THE_CLASS
        raise _Unknown(f"{source} alone does not say how {folder.name or 'this model'} splits a text", hint)
    return recipe
