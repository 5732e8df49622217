"""A reader of pickles that can build tensors and nothing else.

A pickle is a program. It is interpreted here, not by Python's own machine: no opcode imports, a name in it stays a
name, and the only calls are the ones that torch writes for tensors. Any other name is refused, and the message names
it.

Source: Python's pickletools (the meaning of the opcodes), torch/serialization.py and torch/_utils.py (what is called).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnviz.checkpoints.base import damaged, shown

MAX_PICKLE = 32 << 20  # limit of a pickle in bytes: a tensor takes about 150
_MAX_STEPS = 4_000_000  # limit of opcodes: a tensor takes about 45
# Limit of lists, dictionaries and memo entries, each of which takes some hundred bytes of memory per byte in the file:
# a tensor takes about 15.
_MAX_MADE, _BYTES_EACH, _ALWAYS_MADE = 1_000_000, 4, 10_000
_MAX_KEY = 1 << 24  # largest key of a dictionary: larger keys could be chosen to collide
STORAGES = {
    "FloatStorage": "F32",
    "DoubleStorage": "F64",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
}
_DTYPES = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
_STORAGE_NAMES = {f"torch {name}": dtype for name, dtype in STORAGES.items()} | {"torch.storage UntypedStorage": "U8"}
_DTYPE_NAMES = {f"torch {name}": dtype for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Name:
    """A global that the pickle names; it is never imported: "torch FloatStorage"."""

    text: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of numbers elsewhere in the file. size: in elements of dtype (bytes, if untyped)."""

    key: str
    dtype: str
    size: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's elements within a storage; offset and strides in elements of dtype."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """A mark on the stack: the beginning of a sequence of items."""


_MARK = _Mark()
_SAVE_WEIGHTS = "save only the weights: torch.save(model.state_dict(), ...), or as safetensors"


def unpickle(path: Path, data: memoryview, at: int = 0) -> tuple[Any, int]:
    """Build the object of the pickle at byte `at`; returned with the position after it.

    Plain values, lists, tuples and dictionaries come out as Python's own; tensors as `Tensor`.

    Raises:
        CheckpointError: it is damaged, or names anything except what torch writes for tensors.
    """
    machine = _Machine(path, data, at)
    try:
        return machine.run(), machine.at
    except (IndexError, TypeError, struct.error, UnicodeDecodeError):
        # Too few items on the stack, or of another kind than the opcode needs.
        damaged(path, f"its pickle makes no sense at byte {machine.at:,}")


class _Machine:
    """A stack, a memo, and one method for each opcode that torch's files hold."""

    def __init__(self, path: Path, data: memoryview, at: int) -> None:
        self.path, self.data, self.at = path, data, at
        self.end = min(len(data), at + MAX_PICKLE)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.may_make = min(_MAX_MADE, _ALWAYS_MADE + (self.end - at) // _BYTES_EACH)

    def run(self) -> Any:
        for _ in range(_MAX_STEPS):
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                return self.pop()
            step = _STEPS.get(code)
            if step is None:
                damaged(
                    self.path, f"its pickle holds the opcode 0x{code:02x} at byte {self.at - 1:,}, which is refused"
                )
            step(self)
        damaged(self.path, f"its pickle takes more than {_MAX_STEPS:,} steps")

    def take(self, nbytes: int) -> memoryview:
        start = self.at
        if nbytes < 0 or nbytes > self.end - start:
            if self.end < len(self.data):
                damaged(self.path, f"its pickle passes {MAX_PICKLE:,} bytes")
            damaged(self.path, "truncated: its pickle does not end")
        self.at = start + nbytes
        return self.data[start : self.at]

    def number(self, code: str) -> int:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        """A text that ends at a line break; GLOBAL has two."""
        stop = self.at
        while self.take(1)[0] != 0x0A:
            pass
        return str(self.data[stop : self.at - 1], "utf-8")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise TypeError("a mark where a value should be")
        return value

    def items(self) -> list[Any]:
        """Pop the last mark and all items above it; return the items."""
        stack, at = self.stack, len(self.stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def text(self, code: str) -> None:
        self.push(str(self.take(self.number(code)), "utf-8", "surrogatepass"))

    def bytes(self, code: str) -> None:
        self.push(str(self.take(self.number(code)), "latin-1"))

    def long(self, nbytes: int) -> None:
        if nbytes > 16:
            damaged(self.path, f"its pickle holds a number of {nbytes:,} bytes")
        self.push(int.from_bytes(self.take(nbytes), "little", signed=True))

    def make(self) -> None:
        """Count one more object that takes far more memory than its bytes in the file."""
        self.may_make -= 1
        if self.may_make < 0:
            damaged(self.path, f"its pickle builds more than its size allows, at byte {self.at:,}")

    def container(self, value: list[Any] | dict[Any, Any]) -> None:
        self.make()
        self.push(value)

    def put(self, index: int) -> None:
        self.make()
        if index > _MAX_KEY:
            damaged(self.path, f"its pickle numbers a value {index:,}")
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise IndexError(index)
        self.push(self.memo[index])

    def tuple(self, count: int) -> None:
        taken = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(taken)))

    def fill(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise TypeError("no dictionary to fill")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) not in (str, int):  # hashing deeply nested tuples may exhaust the stack
                damaged(self.path, f"its pickle uses a {type(key).__name__} as a key")
            if type(key) is int and not 0 <= key < _MAX_KEY:
                damaged(self.path, f"its pickle uses the number {shown(key, 40)} as a key")
            target[key] = value

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("no list to extend")
        self.stack[-1].extend(values)

    def name(self, module: str, name: str) -> None:
        text = f"{module} {name}"
        if text not in _CALLS and text not in _STORAGE_NAMES and text not in _DTYPE_NAMES and text not in _INERT:
            damaged(
                self.path,
                f"its pickle names {shown(f'{module}.{name}')}, which is refused: only tensors are read, nothing run",
                _SAVE_WEIGHTS,
            )
        self.push(Name(text))

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if type(function) is not Name or type(arguments) is not tuple or function.text not in _CALLS:
            raise TypeError("a call of what cannot be called")
        if len(arguments) > 16:
            raise TypeError("too many arguments")
        self.make()
        self.push(_CALLS[function.text](*arguments))

    def inst(self) -> None:
        """Refuse a call in an old spelling, which torch never used."""
        self.name(self.line(), self.line())
        raise TypeError("a call in an old spelling")

    def build(self) -> None:
        """Ignore state for an object: only attributes of ordered dictionaries occur, which are not needed."""
        self.pop()
        if type(self.stack[-1]) not in (dict, Tensor):
            raise TypeError("state for what has none")

    def persistent(self) -> None:
        """A storage: ("storage", its class, its key, the device, its size, and in old files a view)."""
        parts = self.pop()
        if type(parts) is not tuple or len(parts) not in (5, 6) or parts[0] != "storage":
            raise TypeError("no storage")
        kind, key, size = parts[1], parts[2], parts[4]
        if type(key) not in (str, int):
            raise TypeError("a storage without a key")
        if type(kind) is not Name or kind.text not in _STORAGE_NAMES or type(size) is not int or size < 0:
            raise TypeError("no storage of a kind that is read")
        if len(parts) == 6 and parts[5] is not None:
            damaged(self.path, "holds views of storages as torch before 0.4 wrote them, which are not read")
        self.push(Storage(str(key), _STORAGE_NAMES[kind.text], size))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a name that is no text")
        self.name(module, name)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > 64 or not all(type(n) is int and n >= 0 for n in value):
        raise TypeError("no list of sizes")
    return tuple(value)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """torch._utils._rebuild_tensor and _v2: requires_grad, hooks and metadata do not matter here."""
    if type(storage) is not Storage or type(offset) is not int or offset < 0:
        raise TypeError("a tensor without a storage")
    return Tensor(storage, storage.dtype, offset, _sizes(shape), _sizes(strides))


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    """A tensor of untyped storage, with its dtype as a separate argument."""
    tensor = _tensor(storage, offset, shape, strides)
    if type(dtype) is not Name or dtype.text not in _DTYPE_NAMES:
        raise TypeError("a tensor without a dtype")
    return Tensor(tensor.storage, _DTYPE_NAMES[dtype.text], offset, tensor.shape, tensor.strides)


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _from_type(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """A tensor of a subclass, whose additional attributes are dropped."""
    if type(function) is not Name or type(arguments) is not tuple or function.text not in _TENSORS:
        raise TypeError("a call of what cannot be called")
    return _TENSORS[function.text](*arguments[:16])


def _mapping() -> dict[Any, Any]:
    """An ordered dictionary, filled later."""
    return {}


_TENSORS: dict[str, Callable[..., Any]] = {
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_tensor_v3": _tensor_v3,
}
_CALLS: dict[str, Callable[..., Any]] = _TENSORS | {
    "collections OrderedDict": _mapping,
    "torch Size": _sizes,
    "torch device": lambda *_: None,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_parameter_with_state": _parameter,
    "torch._tensor _rebuild_from_type_v2": _from_type,
}
_INERT = {"torch Tensor", "torch.nn.parameter Parameter"}


def _steps() -> dict[int, Callable[[_Machine], object]]:
    """Opcode -> the method that executes it. Names as in pickletools."""
    steps: dict[bytes, Callable[[_Machine], object]] = {
        b"\x80": lambda m: m.take(1),  # PROTO
        b"\x95": lambda m: m.take(8),  # FRAME: only a hint for reading ahead
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"J": lambda m: m.push(m.number("<i")),  # BININT
        b"K": lambda m: m.push(m.number("<B")),  # BININT1
        b"M": lambda m: m.push(m.number("<H")),  # BININT2
        b"\x8a": lambda m: m.long(m.number("<B")),  # LONG1
        b"\x8b": lambda m: m.long(m.number("<I")),  # LONG4
        b"G": lambda m: m.push(m.number(">d")),  # BINFLOAT
        b"X": lambda m: m.text("<I"),  # BINUNICODE
        b"\x8c": lambda m: m.text("<B"),  # SHORT_BINUNICODE
        b"\x8d": lambda m: m.text("<Q"),  # BINUNICODE8
        b"T": lambda m: m.bytes("<I"),  # BINSTRING
        b"U": lambda m: m.bytes("<B"),  # SHORT_BINSTRING
        b"B": lambda m: m.bytes("<I"),  # BINBYTES
        b"C": lambda m: m.bytes("<B"),  # SHORT_BINBYTES
        b"(": lambda m: m.push(_MARK),
        b")": lambda m: m.push(()),
        b"t": lambda m: m.push(tuple(m.items())),
        b"\x85": lambda m: m.tuple(1),
        b"\x86": lambda m: m.tuple(2),
        b"\x87": lambda m: m.tuple(3),
        b"]": lambda m: m.container([]),
        b"a": lambda m: m.extend([m.pop()]),  # APPEND
        b"e": lambda m: m.extend(m.items()),  # APPENDS
        b"}": lambda m: m.container({}),
        b"s": lambda m: m.fill([m.pop(), m.pop()][::-1]),  # SETITEM
        b"u": lambda m: m.fill(m.items()),  # SETITEMS
        b"q": lambda m: m.put(m.number("<B")),  # BINPUT
        b"r": lambda m: m.put(m.number("<I")),  # LONG_BINPUT
        b"\x94": lambda m: m.put(len(m.memo)),  # MEMOIZE
        b"h": lambda m: m.get(m.number("<B")),  # BINGET
        b"j": lambda m: m.get(m.number("<I")),  # LONG_BINGET
        b"c": lambda m: m.name(m.line(), m.line()),  # GLOBAL
        b"\x93": _Machine.stack_global,
        b"i": _Machine.inst,
        b"R": _Machine.reduce,
        b"b": _Machine.build,
        b"Q": _Machine.persistent,  # BINPERSID
    }
    return {code[0]: step for code, step in steps.items()}


_STEPS = _steps()
