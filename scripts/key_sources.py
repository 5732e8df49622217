"""Find the configuration keys that a Python file of the reference reads, with `ast` alone.

`module(path)` reads one file. A definition is a function, a class or an assignment at the top level of the file; of
`modeling_utils.py` it is a method. For each definition the summary holds the keys that it reads, the names that it
mentions and the attributes of `self` that it uses, so that only definitions that a model uses are counted.

A read is an attribute of a configuration (`config.key`, `self.config.text_config.key`), `getattr(config, "key")`,
`hasattr(config, "key")`, or a key of a dictionary in one (`config.rope_scaling["factor"]`, `.get("factor")`,
`"factor" in config.rope_scaling`). A configuration is an expression whose last name holds `config` or `cfg`, or a
variable that was assigned from one. `getattr(config, variable)` goes to `unresolved`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_GET = ("get", "pop", "setdefault")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Definition:
    """The content of one definition. bases: the names of a class's bases."""

    reads: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    of_self: set[str] = field(default_factory=set)
    unresolved: set[str] = field(default_factory=set)
    bases: tuple[str, ...] = ()


@dataclass
class Module:
    """A file: its definitions, and what it imports: name -> (levels up, module, original name)."""

    definitions: dict[str, Definition]
    imports: dict[str, tuple[int, str, str]]


@dataclass
class Settings:
    """A configuration class.

    keys: its keys in a configuration file. defaults: keys whose default is a literal. depends: name -> the keys that it
    is computed from. types: its model_type. same: pairs of names for one value.
    """

    name: str
    bases: tuple[str, ...]
    model_type: str = ""
    keys: set[str] = field(default_factory=set)
    defaults: dict[str, Any] = field(default_factory=dict)
    depends: dict[str, set[str]] = field(default_factory=dict)
    same: set[tuple[str, str]] = field(default_factory=set)


# Cached, since most files are the same in many releases.
_modules: dict[tuple[bytes, bool], Module] = {}
_classes: dict[bytes, tuple[Settings, ...]] = {}


@cache
def module(path: Path, by_method: bool = False) -> Module:
    """The summary of a file. by_method: methods of classes are definitions of their own."""
    text = path.read_bytes()
    known = (hashlib.sha256(text).digest(), by_method)
    if known not in _modules:
        _modules[known] = _module(ast.parse(text), by_method)
    return _modules[known]


def _module(tree: ast.Module, by_method: bool) -> Module:
    found = Module({}, {})
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                found.imports[name.asname or name.name] = (node.level, node.module or "", name.name)
    for node in _top_level(tree.body):
        if by_method and isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, _FUNCTIONS):
                    found.definitions[part.name] = _definition(part)
        for name in _defines(node):
            found.definitions[name] = _definition(node)
    return found


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at the top level, including statements under `if` and `try`."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from _top_level([n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)])
        else:
            yield node


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, *_FUNCTIONS)):
        yield node.name
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (t.id for t in targets if isinstance(t, ast.Name))


def _definition(node: ast.AST) -> Definition:
    found = Definition()
    if isinstance(node, ast.ClassDef):
        found.bases = tuple(filter(None, map(last_name, node.bases)))
    aliases = _aliases(node)
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.names.add(part.id)
        elif isinstance(part, ast.Attribute):
            if is_config(part.value, aliases):
                found.reads.add(part.attr)
            if isinstance(part.value, ast.Name) and part.value.id in ("self", "cls"):
                found.of_self.add(part.attr)
        elif isinstance(part, ast.Call):
            _of_call(part, aliases, found)
        for key in dictionary_keys(part, aliases):
            found.reads.add(key)
    return found


def _of_call(call: ast.Call, aliases: frozenset[str], found: Definition) -> None:
    """getattr, hasattr and setattr of a configuration."""
    if last_name(call.func) not in ("getattr", "hasattr") or len(call.args) < 2 or not is_config(call.args[0], aliases):
        return
    key = call.args[1]
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        found.reads.add(key.value)
    else:
        found.unresolved.add(ast.unparse(call))


def _aliases(node: ast.AST) -> frozenset[str]:
    """Variables that hold a configuration under another name."""
    found: frozenset[str] = frozenset()
    for _ in range(2):
        for part in ast.walk(node):
            if isinstance(part, ast.Assign) and is_config(part.value, found):
                found |= {t.id for t in part.targets if isinstance(t, ast.Name)}
    return found


def last_name(node: ast.AST) -> str:
    """The last name of `a.b.c`, "" for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def is_config(node: ast.AST, aliases: frozenset[str] = frozenset()) -> bool:
    """Whether an expression is a configuration, by its name."""
    if isinstance(node, ast.Call):
        name = last_name(node.func)
        return name == "get_text_config" or (
            name in ("deepcopy", "copy") and any(is_config(a, aliases) for a in node.args)
        )
    name = last_name(node).lower()
    return ("config" in name or "cfg" in name or name in aliases) and "generation" not in name


def dictionary_keys(node: ast.AST, aliases: frozenset[str] = frozenset()) -> Iterator[str]:
    """The literal keys that an expression reads from a dictionary of a configuration."""
    if isinstance(node, ast.Subscript) and _from_config(node.value, aliases):
        yield from _literals([node.slice])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GET:
        if _from_config(node.func.value, aliases):
            yield from _literals(node.args[:1])
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        yield from _literals([node.left] if _from_config(node.comparators[0], aliases) else [])


def _from_config(node: ast.AST, aliases: frozenset[str]) -> bool:
    return any(
        is_config(part, aliases) or any(word in last_name(part) for word in ("rope", "params", "kwargs", "scaling"))
        for part in ast.walk(node)
    )


def _literals(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


# ---- configuration classes


@cache
def settings(path: Path) -> tuple[Settings, ...]:
    """Every class of a configuration file."""
    text = path.read_bytes()
    known = hashlib.sha256(text).digest()
    if known not in _classes:
        _classes[known] = tuple(_settings(node) for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    return _classes[known]


def _settings(node: ast.ClassDef) -> Settings:
    found = Settings(node.name, tuple(filter(None, map(last_name, node.bases))))
    for part in node.body:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            _class_value(part.targets[0].id, part.value, found)
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            if "ClassVar" in ast.unparse(part.annotation) or part.target.id in ("model_type", "attribute_map"):
                _class_value(part.target.id, part.value, found)
            else:
                _field(part.target.id, part.value, found)
        elif isinstance(part, _FUNCTIONS):
            _method(part, found)
    return found


def _class_value(name: str, value: ast.expr | None, found: Settings) -> None:
    if name == "model_type" and isinstance(value, ast.Constant):
        found.model_type = value.value
    elif name == "attribute_map" and isinstance(value, ast.Dict):
        for ours, theirs in zip(value.keys, value.values, strict=True):
            if isinstance(ours, ast.Constant) and isinstance(theirs, ast.Constant):
                found.same.add((str(ours.value), str(theirs.value)))
    elif not name.startswith("base_model_") and name not in ("keys_to_ignore_at_inference", "sub_configs"):
        _field(name, value, found)


def _field(name: str, value: ast.expr | None, found: Settings) -> None:
    found.keys.add(name)
    if isinstance(value, ast.Call):  # interval(...)(default=0.02), field(default=...)
        value = next((k.value for k in value.keywords if k.arg == "default"), None)
    if value is not None:
        with suppress(ValueError):
            found.defaults[name] = ast.literal_eval(value)


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef, found: Settings) -> None:
    """Parameters of a constructor are keys; a name that a method assigns depends on the expression at the right."""
    if node.name in ("__init__", "__post_init__"):
        arguments = [*node.args.args, *node.args.kwonlyargs]
        defaults = [*node.args.defaults, *(node.args.kw_defaults if node.args.kwonlyargs else [])]
        for argument, value in zip(reversed(arguments), [*reversed(defaults), *[None] * len(arguments)], strict=False):
            if argument.arg != "self":
                _field(argument.arg, value, found)
    else:
        found.depends.setdefault(node.name, set()).update(mentioned(node))
    found.keys.update(asked(node))
    assignments(node.body, set(), found)


def asked(node: ast.AST) -> Iterator[str]:
    """Keys that a method takes from its keyword arguments or from itself by name."""
    for part in ast.walk(node):
        yield from dictionary_keys(part)
        if isinstance(part, ast.Call) and last_name(part.func) in ("getattr", "hasattr") and len(part.args) > 1:
            yield from _literals([part.args[1]])
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and last_name(part.value) == "self":
            yield part.attr


def mentioned(node: ast.AST) -> set[str]:
    """Every name, attribute and literal word of an expression."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            names.add(part.value)
    return names - {"self", "cls"}


def assignments(body: Iterable[ast.stmt], under: set[str], found: Settings) -> None:
    """Target -> the names that it depends on, for every assignment of a block, including the conditions around it."""
    for node in body:
        if isinstance(node, (ast.If, ast.While)):
            inner = under | mentioned(node.test)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            inner = under | mentioned(node.iter)
            for target in _targets(node.target):
                found.depends.setdefault(target, set()).update(inner)
        else:
            inner = under
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            made_of = under | (mentioned(node.value) if node.value is not None else set())
            for one in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for target in _targets(one):
                    found.depends.setdefault(target, set()).update(made_of)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            _statement_call(node.value, under, found)
        for block in ("body", "orelse", "finalbody"):
            assignments([n for n in getattr(node, block, []) if isinstance(n, ast.stmt)], inner, found)
        for handler in getattr(node, "handlers", []):
            assignments(handler.body, inner, found)


def _statement_call(call: ast.Call, under: set[str], found: Settings) -> None:
    """`x.update(y)` makes x depend on y; `setattr(self, "x", y)` too."""
    arguments = [*call.args, *(k.value for k in call.keywords)]
    made_of = under.union(*map(mentioned, arguments)) if arguments else under
    if last_name(call.func) == "setattr" and len(call.args) == 3:
        for name in _literals([call.args[1]]):
            found.depends.setdefault(name, set()).update(made_of)
    elif isinstance(call.func, ast.Attribute) and last_name(call.func.value) not in ("logger", "warnings", "self", ""):
        for target in _targets(call.func.value):
            found.depends.setdefault(target, set()).update(made_of)


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Tuple, ast.List)):
        for part in node.elts:
            yield from _targets(part)
    elif isinstance(node, (ast.Subscript, ast.Starred)):
        yield from _targets(node.value)
    elif name := last_name(node):
        yield name
