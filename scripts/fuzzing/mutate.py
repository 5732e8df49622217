"""Mutants of bytes, of JSON, and of the formats that attnviz reads. All draws come from one random.Random."""

from __future__ import annotations

import copy
import io
import json
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 7, 8, 255, 256, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
HUGE = 10**400
ODD: tuple[Any, ...] = (
    None, True, False, "", "x", "é\x1b]0;t\x07", "a" * 5000, -1, 0.5, -0.0, 1e300, float("inf"), float("nan"), HUGE,
    [], {}, [[]], [0] * 300, {"": ""}, [None, "x", {}], {"content": []}, "../../secret.txt", "/etc/passwd", *NUMBERS,
)  # fmt: skip


def flipped(data: bytes, rng: Random) -> bytes:
    """Make one to eight changes of bytes: bits, whole numbers, pieces removed, doubled, moved or cut off."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        size = len(found)
        at = rng.randrange(size + 1)
        if rng.random() < 0.5:  # headers are at the beginning
            at = min(at, rng.randrange(1, 512))
        way = rng.randrange(7)
        if way == 0 and size:
            found[min(at, size - 1)] ^= 1 << rng.randrange(8)
        elif way == 1:
            width = rng.choice((1, 2, 4, 8))
            found[at : at + width] = (rng.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, rng.choice(ENDS))
        elif way == 2:
            del found[at : at + rng.choice((1, 4, 8, 100, size))]
        elif way == 3:
            piece = found[at : at + rng.choice((1, 8, 64, 1000))]
            found[at:at] = piece * rng.choice((1, 2, 100))
        elif way == 4:
            other = rng.randrange(size + 1)
            found[at:at] = found[other : other + 64]
        elif way == 5:
            found[at : at + 8] = rng.randbytes(8)
        else:
            found[at:] = b"" if rng.random() < 0.3 else found[at:]
        del found[4_000_000:]
    return bytes(found)


ENDS: Any = ("little", "big")


def tree(value: Any, rng: Random) -> Any:
    """A JSON value with one to four changes at random places."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 4))):  # nested values of 600 levels are made last, so that they are not copied
        places = list(_places(value))
        if not places:
            return copy.deepcopy(rng.choice(ODD))
        holder, key = rng.choice(places)
        if _changed(holder, key, rng):
            break
    return value


def _places(value: Any, most: int = 4000) -> list[tuple[Any, Any]]:
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while stack and len(places) < most:
        one = stack.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            places.append((one, key))
            stack.append(one[key])
    return places


def _changed(holder: Any, key: Any, rng: Random) -> bool:
    """Change one place; True if nothing more should be changed."""
    way = rng.randrange(8)
    old = holder[key]
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[rng.choice(("", "x", "é\n", "a" * 3000, *map(str, holder)))] = holder.pop(key)
    elif way == 2 and isinstance(old, (str, list)):
        holder[key] = old * rng.choice((0, 2, 50))
    elif way == 3 and isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[key] = rng.choice((old + 1, -old, old * 1000, old * 2**20))
    elif way == 4:
        for _ in range(rng.choice((3, 50, 600))):
            old = [old] if rng.random() < 0.5 else {"x": old}
        holder[key] = old
        return True
    elif way == 5:
        others = list(holder.values()) if isinstance(holder, dict) else holder
        holder[key] = copy.deepcopy(rng.choice(others))
    elif way == 6 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[:50]))
    else:
        holder[key] = copy.deepcopy(rng.choice(ODD))
    return False


def json_bytes(data: bytes, rng: Random) -> bytes:
    """A JSON file changed as a value, or as a text."""
    if rng.random() < 0.15:
        return flipped(data, rng)
    return _text(tree(json.loads(data), rng))


def _text(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b"[" * 10_000


def safetensors(data: bytes, rng: Random) -> bytes:
    """The header changed as a value, its length right; or any byte changed."""
    if rng.random() < 0.4:
        return flipped(data, rng)
    size = int.from_bytes(data[:8], "little")
    head = _text(tree(json.loads(data[8 : 8 + size]), rng))
    claimed = len(head) if rng.random() < 0.9 else rng.choice(NUMBERS)
    return struct.pack("<Q", claimed) + head + data[8 + size :]


def zipped(data: bytes, rng: Random, change: Callable[[str, bytes, Random], bytes] | None = None) -> bytes:
    """A zip file with members changed, left out, renamed or doubled, its directory right; or any byte changed."""
    if rng.random() < 0.25:
        return flipped(data, rng)
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        infos = old.infolist()
        chosen = rng.randrange(len(infos))
        for place, info in enumerate(infos):
            name, body = info.filename, old.read(info)
            if place == chosen:
                way = rng.randrange(6)
                if way == 0:
                    continue
                if way == 1:
                    name = rng.choice(("../x.npy", "x", "a" * 300 + ".npy", rng.choice(infos).filename))
                else:
                    body = (change or _member)(name, body, rng)
            how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
            if how == zipfile.ZIP_LZMA and place != chosen:  # its tables take more time than reading it
                how = zipfile.ZIP_DEFLATED
            new.writestr(zipfile.ZipInfo(name), body, how)  # with a name alone the date would be today's
    return made.getvalue()


def _member(name: str, body: bytes, rng: Random) -> bytes:
    if name.endswith(".pkl"):
        return pickled(body, rng)
    return npy(body, rng) if name.endswith(".npy") else flipped(body, rng)


SHAPES = (
    "()",
    "(0,)",
    "(1,)",
    "(2, 2)",
    f"(0, {2**40}, {2**40})",
    f"({2**62},)",
    "(-1,)",
    "(1,) * 9",
    "(True,)",
    "[2]",
)
DTYPES = ("<f4", "<f2", ">f8", "|b1", "<i8", "<u8", "<U1", "<U0", "<U20000", "|S3", "|O", "<M8[s]", "<c16", "|V4", "")


def npy(body: bytes, rng: Random) -> bytes:
    """An array with another header, or with other bytes."""
    way = rng.randrange(3)
    if way == 0 or body[:6] != b"\x93NUMPY":
        return flipped(body, rng)
    start = 10 + int.from_bytes(body[8:10], "little")
    if way == 1:  # other numbers
        raw = bytearray(body[start:])
        for _ in range(rng.choice((1, 3))):
            at = rng.randrange(len(raw) + 1) // 4 * 4
            raw[at : at + 8] = (rng.choice(NUMBERS) % 2**64).to_bytes(8, "little")[: len(raw[at : at + 8])]
        if rng.random() < 0.3 and b"{" in raw:  # our own meta: text with four bytes per character
            text = bytes(raw).decode("utf-32-le", "replace").rstrip("\0")
            try:
                return _npy_text(_text(tree(json.loads(text), rng)).decode("utf-8", "replace"))
            except ValueError:
                pass
        return body[:start] + bytes(raw)
    head = body[10:start].decode("latin-1")
    if rng.random() < 0.5:
        descr, shape = rng.choice(DTYPES), rng.choice(SHAPES)
        head = f"{{'descr': {descr!r}, 'fortran_order': {rng.choice(('True', 'False', '0'))}, 'shape': {shape}, }}"
    else:
        head = flipped(head.encode("latin-1"), rng)[:60_000].decode("latin-1")
    raw = head.encode("latin-1")
    return body[:8] + len(raw).to_bytes(2, "little") + raw + body[start:]


def _npy_text(text: str) -> bytes:
    head = f"{{'descr': '<U{max(len(text), 1)}', 'fortran_order': False, 'shape': (), }}".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + text.encode("utf-32-le", "surrogatepass")


def pickled(data: bytes, rng: Random) -> bytes:
    """A pickle with opcodes left out, doubled, exchanged or flooded; or any byte changed."""
    if rng.random() < 0.2:
        return flipped(data, rng)
    try:
        ends = [at for _, _, at in pickletools.genops(data) if at is not None]
    except Exception:
        return flipped(data, rng)
    steps = [data[a:b] for a, b in zip(ends, [*ends[1:], len(data)], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(steps))
        way = rng.randrange(5)
        if way == 0:
            del steps[at : at + rng.choice((1, 1, 3))]
        elif way == 1:
            steps[at:at] = steps[at : at + rng.choice((1, 5))] * rng.choice((1, 20))
        elif way == 2:
            steps[at] = rng.choice(steps)
        elif way == 3:
            steps[at] = steps[at][:1] + (rng.choice(NUMBERS) % 2**64).to_bytes(8, "little")[: len(steps[at]) - 1]
        else:
            steps[at:at] = [rng.choice(OPCODES)] * rng.choice((1, 3, 3000))
        steps = steps or [b"."]
    return b"".join(steps)


OPCODES = (b"}", b"]", b")", b"N", b"(", b"t", b"\x94", b"0", b"2", b"R", b"Q", b"b", b"cos\nsystem\n", b"\x85", b"u",
           b"e", b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"h\x00", b"q\x00", b"r\xff\xff\xff\xff")  # fmt: skip


def protobuf(data: bytes, rng: Random) -> bytes:
    """A SentencePiece model with fields left out, doubled, exchanged or changed within; or any byte changed."""
    if rng.random() < 0.3:
        return flipped(data, rng)
    fields = _fields(data)
    late = [i for i, (tag, _) in enumerate(fields) if tag >> 3 != 1]
    at = rng.choice(late) if late and rng.random() < 0.6 else rng.randrange(len(fields))
    tag, body = fields[at]
    way = rng.randrange(5)
    if way == 0:
        del fields[at]
    elif way == 1:
        fields[at:at] = [fields[at]] * rng.choice((1, 40))
    elif way == 2:
        fields[at] = (tag, rng.choice(fields)[1])
    elif way == 3:
        inner = bytearray(body)
        where = rng.randrange(len(inner) + 1)
        inner[where : where + 4] = (rng.choice(NUMBERS) % 2**32).to_bytes(4, "little")
        fields[at] = (tag, bytes(inner))
    else:
        fields[at] = (tag, flipped(body, rng))
    return b"".join(_varint(tag) + (_varint(len(body)) if tag & 7 == 2 else b"") + body for tag, body in fields)


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        tag, at = _read(data, at)
        if tag & 7 == 2:
            size, at = _read(data, at)
        elif tag & 7 == 0:
            size = _read(data, at)[1] - at
        else:
            size = 8 if tag & 7 == 1 else 4
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def _varint(value: int) -> bytes:
    raw = bytearray()
    while value > 0x7F:
        raw.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*raw, value])


def png(data: bytes, rng: Random) -> bytes:
    """A PNG with a chunk changed, its checksum right; or any byte changed. Other formats byte by byte."""
    if data[:4] != b"\x89PNG" or rng.random() < 0.3:
        return flipped(data, rng)
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    place = 0 if rng.random() < 0.5 else rng.randrange(len(chunks))
    kind, body = chunks[place]
    if kind == b"IHDR" and rng.random() < 0.8:
        sizes = (rng.choice((1, 7, 100, 9_000, 30_000, 2**31 - 1)) for _ in range(2))
        body = struct.pack(">II", *sizes) + bytes(rng.choice(((8, 2), (16, 0), (8, 6), (1, 3)))) + body[10:]
    else:
        body = flipped(body, rng)
    chunks[place] = (kind, body)
    if rng.random() < 0.2:
        chunks.insert(place, rng.choice(chunks))
    return data[:8] + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in chunks
    )


def tree_bytes(data: bytes, rng: Random) -> bytes:
    """A JSON object changed as a value that is still an object."""
    found = tree(json.loads(data), rng)
    return _text(found if isinstance(found, dict) else {})


def gguf(data: bytes, rng: Random) -> bytes:
    """Metadata keys with other values, types or lengths, left out or doubled; or any byte changed."""
    if rng.random() < 0.4:
        return flipped(data, rng)
    at, spans = 24, []
    n_tensors, n_values = (int.from_bytes(data[i : i + 8], "little") for i in (8, 16))
    for _ in range(n_values):
        start = at
        at += 8 + int.from_bytes(data[at : at + 8], "little")
        at = _skipped(data, at + 4, int.from_bytes(data[at : at + 4], "little"))
        spans.append(data[start:at])
    place, way = rng.randrange(len(spans)), rng.randrange(4)
    size = 8 + int.from_bytes(spans[place][:8], "little")
    key, value = spans[place][:size], spans[place][size:]
    if way == 0:
        spans[place] = b""
    elif way == 1:
        spans.append(spans[place])
    elif way == 2:
        spans[place] = key + rng.choice(VALUES)
    else:
        spans[place] = key + flipped(value, rng)
    count = n_values + (len(spans) - n_values) - (way == 0)
    return data[:8] + struct.pack("<QQ", n_tensors, count) + b"".join(spans) + data[at:]


_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
VALUES = (
    *(struct.pack("<IQ", 10, n % 2**64) for n in NUMBERS),
    *(struct.pack("<Id", 12, x) for x in (0.0, -1.0, 1e300, float("inf"), float("nan"))),
    struct.pack("<IQ", 8, 0),
    struct.pack("<IQ", 8, 3) + b"\xff\x1bx",
    struct.pack("<IIQ", 9, 8, 0),
    struct.pack("<IIQ", 9, 4, 2) + bytes(8),
    struct.pack("<IIQ", 9, 8, 2) + bytes(16),
    struct.pack("<IIQ", 9, 9, 1),
    struct.pack("<I?", 7, True),
)


def _skipped(data: bytes, at: int, kind: int) -> int:
    """The position after a value of this type."""
    if kind in _WIDTHS:
        return at + _WIDTHS[kind]
    if kind == 8:
        return at + 8 + int.from_bytes(data[at : at + 8], "little")
    inner, count = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 12], "little")
    at += 12
    if inner in _WIDTHS:
        return at + count * _WIDTHS[inner]
    for _ in range(count):
        at += 8 + int.from_bytes(data[at : at + 8], "little")
    return at
