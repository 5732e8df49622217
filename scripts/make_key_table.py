"""Write attnviz/families/_read_keys.json: the configuration keys that the reference reads, by model_type.

    python scripts/make_key_table.py SOURCES          write the table
    python scripts/make_key_table.py SOURCES --check  compare only

SOURCES is a folder of unpacked releases of transformers, one per version: SOURCES/4.46.3/transformers/models/...

A key is read if any of the releases reads it: in modeling_X.py, in what that file imports from other models' modelling
files and from the shared ones (rotary positions, masks, layers, activations), or in the configuration class to make
an attribute that these files read. `attribute_map` makes two names one key. Keys that a file reads count for every
model_type of that file (CLIP and its two towers), task heads and initialisation included.

The table may hold a key without effect; then a configuration is refused that could be drawn. It must not lack a key
with an effect. Limits of the analysis, and what is done about them:

- `getattr(config, variable)`: the script stops, unless `REVIEWED` says why the call cannot read a key that matters.
- A configuration under a name without `config` or `cfg` in it is followed through plain assignments only.
- AutoModel on a nested configuration reads the keys of another family, which the row of that family holds.
- Of modeling_utils.py the methods that a model's file mentions and the constructor are read. Generation, caches (they
  keep what was computed), losses, quantizers and parallel plans are not followed. `ALWAYS` names keys that
  base classes read in ways that this analysis does not see.
- TensorFlow's and Flax's files are read for the names of their classes only.

Two further facts are stored: the defaults of the base configuration class, which a key left out has
(the script stops at a key that a model reads with another default, unless it has no effect); and the names of the model
classes, by which a checkpoint with its own code is recognised.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import key_sources as sources

from attnviz import families
from attnviz.families._keys import has_no_effect

TABLE = Path(families.__file__).with_name("_read_keys.json")
# Families on their way into attnviz.
COMING = (
    "bigbird_pegasus splinter vit_msn align_text_model chinese_clip_text_model clap_text_model data2vec_vision "
    "unispeech unispeech_sat qwen2_5_vl_text"
).split()
SHARED = ("modeling_rope_utils", "masking_utils", "modeling_attn_mask_utils", "modeling_layers", "pytorch_utils")
SHARED += ("activations", "integrations")
# Base classes apply pruned heads (until 4.57) and settings per layer (5.x).
ALWAYS = {"pruned_heads", "per_layer_config", "quantization_config"}
# A model's own initialisation is in its own file; that of the base class knows every kind of layer.
NOT_FOLLOWED = {"_init_weights"}
# Words in expressions that are not keys of a file.
NO_KEYS = set(dir(__builtins__)) | {"self", "cls", "kwargs", "args", "config", "to_dict", "items", "keys", "values"}
REVIEWED = {
    "modeling_rope_utils._compute_proportional_rope_parameters: getattr(config, head_dim_key, None)": (
        "head_dim, or global_head_dim of Gemma 4"
    ),
    "modeling_utils._autoset_attn_implementation: getattr(config, key)": "nested configurations, one after the other",
}


class Release:
    """One release's files."""

    def __init__(self, folder: Path) -> None:
        self.root, self.version = folder / "transformers", folder.name
        self.found: dict[str, Path] = {}
        for file in sorted(self.root.glob("models/**/configuration_*.py")):
            for one in sources.settings(file):
                if one.model_type:
                    self.found.setdefault(one.model_type.replace("-", "_"), file)

    def resolve(self, file: Path, level: int, name: str) -> Path | None:
        """The file of a relative import."""
        if not level:
            return None
        place = file.parents[level - 1].joinpath(*name.split(".")) if name else file.parents[level - 1]
        return place.with_suffix(".py") if place.with_suffix(".py").is_file() else None

    def followed(self, file: Path) -> bool:
        """Whether names that a model imports from a file count."""
        inside = file.relative_to(self.root).parts
        model = inside[0] == "models" and file.stem.startswith("modeling_")
        return model or inside[0].removesuffix(".py") in SHARED


def used(release: Release, file: Path) -> Iterator[tuple[str, sources.Definition]]:
    """Every definition that a modelling file uses, including all of its own."""
    base = release.root / "modeling_utils.py"
    waiting = [(file, name) for name in sources.module(file).definitions]
    waiting.append((base, "__init__"))
    seen = set(waiting)
    while waiting:
        place, name = waiting.pop()
        one = sources.module(place, place == base)
        if name not in one.definitions:
            continue
        found = one.definitions[name]
        yield f"{place.stem}.{name}", found
        further = {(base, part) for part in found.of_self - NOT_FOLLOWED if part not in one.definitions}
        for part in found.names:
            if part in one.definitions and place != base:
                further.add((place, part))
            elif part in one.imports:
                level, where, original = one.imports[part]
                target = release.resolve(place, level, where)
                if target is not None and release.followed(target):
                    further.add((target, original))
        waiting += further - seen
        seen |= further


def classes(release: Release, file: Path, seen: frozenset[Path] = frozenset()) -> dict[str, sources.Settings]:
    """The configuration classes of a file, with imported classes of other models, and the effect of rotary helpers."""
    found = {one.name: one for one in sources.settings(file)}
    for level, where, _ in sources.module(file).imports.values():
        target = release.resolve(file, level, where)
        if target is None or target in seen or target.parent.name in ("auto", "transformers"):
            continue
        if target.stem.startswith("configuration_"):
            found |= classes(release, target, seen | {file})
    return found


def rope_helpers(release: Release) -> Iterator[sources.Settings]:
    """Names that the shared code for rotary positions derives from keys."""
    file = release.root / "modeling_rope_utils.py"
    if not file.is_file():
        return
    for node in ast.parse(file.read_bytes()).body:
        made = sources.Settings("", ())
        if isinstance(node, ast.ClassDef) and "Config" in node.name:
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    sources.assignments(part.body, set(), made)
                    made.keys.update(sources.asked(part))
            yield made
        elif isinstance(node, ast.FunctionDef) and "standardize" in node.name:
            sources.assignments(node.body, set(), made)
            made.keys.update(sources.asked(node))
            yield made


def closed(direct: set[str], made: Iterable[sources.Settings]) -> set[str]:
    """The keys that are read, and the keys that they are computed from."""
    depends: dict[str, set[str]] = {}
    keys = set(direct)
    for one in made:
        keys |= one.keys
        for name, parts in one.depends.items():
            depends.setdefault(name, set()).update(parts)
        for ours, theirs in one.same:
            depends.setdefault(ours, set()).add(theirs)
            depends.setdefault(theirs, set()).add(ours)
            keys |= {ours, theirs}
    reached, waiting = set(direct), list(direct)
    while waiting:
        further = depends.get(waiting.pop(), set()) - reached
        reached |= further
        waiting += further
    return {key for key in reached & keys if key.isidentifier()} - NO_KEYS


def model_classes(folder: Path, stem: str) -> set[str]:
    """The names of a family's model classes, including classes for other frameworks."""
    found = set()
    for file in folder.glob("modeling_*.py"):
        one = sources.module(file)
        grown = {name for name, d in one.definitions.items() if name.endswith("PreTrainedModel")}
        for _ in range(3):
            grown |= {
                n for n, d in one.definitions.items() if any(b in grown or "PreTrainedModel" in b for b in d.bases)
            }
        # Flax wraps modules; every class of its files that says what it is for counts.
        grown |= {n for n in one.definitions if n.startswith(("TF", "Flax")) and ("For" in n or n.endswith("Model"))}
        if stem in file.stem or not (folder / f"modeling_{stem}.py").is_file() or len(grown) < 12:
            found |= grown
    return {name for name in found if not name.endswith("PreTrainedModel")}


class Row:
    """A modelling file, over all releases."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.reads: set[str] = set()
        self.classes: set[str] = set()
        self.own: dict[str, list[Any]] = {}
        self.unresolved: set[str] = set()

    def add(self, release: Release, config: Path, helpers: list[sources.Settings]) -> None:
        stem = config.stem.removeprefix("configuration_")
        model = config.with_name(f"modeling_{stem}.py")
        direct: set[str] = set()
        if model.is_file():
            for name, definition in used(release, model):
                direct |= definition.reads
                self.unresolved |= {f"{name}: {call}" for call in definition.unresolved}
        made = classes(release, config)
        self.reads |= closed(direct, [*made.values(), *helpers])
        self.classes |= model_classes(config.parent, stem)
        for one in sources.settings(config):
            for key, value in one.defaults.items():
                self.own.setdefault(key, []).append(value)


def base_defaults(release: Release) -> Iterator[tuple[str, Any]]:
    """The keys that every configuration may have, with their defaults."""
    tree = ast.parse((release.root / "configuration_utils.py").read_bytes())
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.lower() != "pretrainedconfig":
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef) and "generation_defaults" in part.name:
                for made in ast.walk(part):
                    if isinstance(made, ast.Dict):
                        yield from _pairs(made.keys, made.values)
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                if "ClassVar" not in ast.unparse(part.annotation):
                    yield from _pairs([ast.Constant(part.target.id)], [part.value])
            elif isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__post_init__"):
                for call in ast.walk(part):
                    if isinstance(call, ast.Call) and sources.last_name(call.func) == "pop" and len(call.args) == 2:
                        yield from _pairs(call.args[:1], call.args[1:])


def _pairs(keys: Iterable[ast.expr | None], values: Iterable[ast.expr | None]) -> Iterator[tuple[str, Any]]:
    for key, value in zip(keys, values, strict=True):
        if isinstance(key, ast.Constant):
            try:
                yield str(key.value), ast.literal_eval(value) if value is not None else None
            except ValueError:
                yield str(key.value), None


def make(folder: Path) -> dict[str, Any]:
    """The whole table."""
    wanted = {name.replace("-", "_") for name in (*families.known(), *families.model_types(), *COMING)}
    releases = sorted((p for p in folder.iterdir() if (p / "transformers").is_dir()), key=_order)
    rows: dict[str, Row] = {}
    base: dict[str, list[Any]] = {}
    for release in map(Release, releases):
        helpers = list(rope_helpers(release))
        for key, value in base_defaults(release):
            values = base.setdefault(key, [])
            if value is not None and value not in values:
                values.append(value)
        here: dict[Path, set[str]] = {}
        for model_type in sorted(wanted & set(release.found)):
            here.setdefault(release.found[model_type], set()).add(model_type)
        for config, types in here.items():
            row = rows.setdefault(config.stem.removeprefix("configuration_"), Row())
            row.types |= types
            row.add(release, config, helpers)
        print(release.version, len(here), file=sys.stderr)
    unseen = {call for row in rows.values() for call in row.unresolved if call not in REVIEWED}
    if unseen:
        raise SystemExit(
            "cannot see which key is read, say why it does not matter in REVIEWED:\n" + "\n".join(sorted(unseen))
        )
    _check_defaults(base, rows)
    return _written([p.name for p in releases], base, rows)


def _check_defaults(base: dict[str, list[Any]], rows: dict[str, Row]) -> None:
    """Fail on a base key that matters and has another default in some family."""
    for name, row in sorted(rows.items()):
        for key in sorted(_own(row, base)):
            if not has_no_effect(key):
                raise SystemExit(f"{key} has another default in {name}: _keys.Reference must learn of it")


def _written(releases: list[str], base: dict[str, list[Any]], rows: dict[str, Row]) -> dict[str, Any]:
    common = ALWAYS | set.intersection(*(row.reads for row in rows.values()))
    return {
        "format": 1,
        "releases": " ".join(releases),
        "base": {key: base[key] for key in sorted(base)},
        "all": " ".join(sorted(common)),
        "files": {
            name: {
                "types": " ".join(sorted(row.types)),
                "reads": " ".join(sorted(row.reads - common)),
                "classes": " ".join(sorted(row.classes)),
            }
            for name, row in sorted(rows.items())
        },
    }


def _own(row: Row, base: dict[str, list[Any]]) -> Iterator[str]:
    """Base keys that are read and have another default in this file."""
    for key in row.reads & set(base):
        if any(value is not None and value not in base[key] for value in row.own.get(key, ())):
            yield key


def _order(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", type=Path, help="a folder of unpacked releases")
    parser.add_argument("--check", action="store_true", help="write nothing, say whether the table is up to date")
    asked = parser.parse_args()
    text = json.dumps(make(asked.sources), indent=0, ensure_ascii=False) + "\n"
    if asked.check:
        same = TABLE.read_text("utf-8") == text
        print(f"{TABLE.name} is {'up to date' if same else 'out of date'}")
        return 0 if same else 1
    TABLE.write_text(text, "utf-8")
    print(TABLE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
