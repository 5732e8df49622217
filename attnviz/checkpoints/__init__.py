"""Weight files: `open_checkpoint` opens them, `weights.Weights` reads tensors by our names.

Opening a file reads its headers only; the rest is memory-mapped. No code in a file is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.errors import CheckpointError

if TYPE_CHECKING:
    from attnviz.checkpoints.base import Checkpoint
    from attnviz.checkpoints.quantised import Quantised

# File names that a folder may hold, in the order in which they are looked for.
FOLDER_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# Common kinds of weight files that are not read, so that a message can name them.
_FOREIGN = {
    ".h5": "TensorFlow weights",
    ".msgpack": "Flax weights",
    ".onnx": "an ONNX graph",
    ".ot": "Rust weights",
    ".ckpt": "a training checkpoint",
    ".pickle": "a pickle",
    ".pkl": "a pickle",
}
_ENDINGS = ".safetensors, .gguf, .npz, .bin, .pt or .pth"
# Old files begin with a pickle of torch's magic number.
_LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"


def is_second_copy(file: str) -> bool:
    """Whether a .safetensors file is not the model itself: an adapter, or the same weights under other names."""
    return file.startswith(("adapter_", "consolidated"))


def open_checkpoint(path: Path, quantised: Callable[[], Quantised | None] | None = None) -> Checkpoint:
    """Open a folder's weights, or a single file, whose format is recognised by its bytes.

    quantised: a function that reads quantisation settings from config.json; called only if the file has no
    configuration.

    Raises:
        CheckpointError: no such file, no weights in the folder, or a file that is damaged or of an unknown kind.
    """
    from attnviz.checkpoints.scaled import with_scales

    path = Path(path)
    try:
        file = _in_folder(path) if path.is_dir() else path
    except OSError as error:  # a name that is too long, a folder without permission to list it
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from None
    checkpoint = _open_file(file)
    settings = quantised() if quantised is not None and checkpoint.config is None else None
    return with_scales(checkpoint, settings)


def _in_folder(folder: Path) -> Path:
    """The file or index that holds a folder's weights."""
    for name in FOLDER_FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(p for p in folder.glob("*.safetensors") if not is_second_copy(p.name))
    if len(others) == 1:
        return others[0]
    if others:
        listed = ", ".join(p.name for p in others[:4]) + (", ..." if len(others) > 4 else "")
        raise CheckpointError(
            f"{folder} has {len(others)} weight files and no index: {listed}",
            "name the one to read instead of the folder",
        )
    raise CheckpointError(
        f"no weights in {folder}: looked for {', '.join(FOLDER_FILES)} and one other .safetensors", _hint(folder)
    )


def _hint(folder: Path) -> str:
    """Advice for a folder without readable weights."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    copies = [p for p in files if p.name.startswith("consolidated")]
    if copies:
        return f"{copies[0].name} has the weights under other names: get the model's own model.safetensors files"
    single = [p for p in files if p.suffix in (".gguf", ".npz", ".pt", ".pth", ".bin")]
    if single:
        return f"it has {single[0].name}: name that file instead of the folder"
    foreign = [p for p in files if p.suffix in _FOREIGN]
    if foreign:
        return f"it has {foreign[0].name}, {_FOREIGN[foreign[0].suffix]}, which cannot be read: save it as safetensors"
    return ""


def _open_file(path: Path) -> Checkpoint:
    if path.name.endswith(".index.json"):
        from attnviz.checkpoints.sharded import Sharded

        return Sharded(path, _open_file)
    kind = _kind(path)
    if kind == "gguf":
        from attnviz.checkpoints.gguf import open_gguf

        return open_gguf(path)
    if kind == "npz":
        from attnviz.checkpoints.npz import open_npz

        return open_npz(path)
    if kind == "torch":
        from attnviz.checkpoints.pytorch import open_pytorch

        return open_pytorch(path)
    from attnviz.checkpoints.safetensors import open_safetensors

    return open_safetensors(path)


def _kind(path: Path) -> str:
    """safetensors, gguf, npz or torch, by the first bytes, or by the extension if the bytes decide nothing."""
    head = _first_bytes(path)
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path.name} is a Git LFS pointer, not the weights themselves", "run `git lfs pull`")
    if not head:
        raise CheckpointError(f"{path.name}: is empty")
    ending = path.suffix.lower()
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(b"PK\x03\x04"):
        return "npz" if ending == ".npz" else "torch"
    if head.startswith(_LEGACY_TORCH):
        return "torch"
    if head[8:9] == b"{":
        return "safetensors"
    by_ending = {".gguf": "gguf", ".npz": "npz", ".bin": "torch", ".pt": "torch", ".pth": "torch"}
    if ending in by_ending:
        return by_ending[ending]
    if ending == ".safetensors":
        return "safetensors"
    what = f"{_FOREIGN[ending]}, which cannot be read" if ending in _FOREIGN else "no weight file that is known"
    raise CheckpointError(f"{path.name} is {what}", f"weights are read from {_ENDINGS} files")


def _first_bytes(path: Path) -> bytes:
    from attnviz.checkpoints.base import opened

    with opened(path) as file:
        return file.read(64)
