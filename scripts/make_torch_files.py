"""Store small files that torch itself wrote, for tests/checkpoints/test_pytorch.py and tests/io.

    python scripts/make_torch_files.py [FOLDER]      default: tests/data/checkpoints

Needs torch. The numbers are multiples of 1/4, which every format holds exactly.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import torch


def main() -> None:
    """Write one file per form."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    count = torch.arange(24) / 4 - 2
    whole = count.reshape(4, 6)
    state = OrderedDict(
        {
            "plain.weight": whole,
            "turned": whole.T,
            "part": whole[1:4:2, 2:5],
            "half": count[:6].reshape(2, 3).half(),
            "brain": count[:6].reshape(2, 3).bfloat16(),
            "double": count[:3].double(),
            "long": torch.arange(3),
            "bool": torch.tensor([True, False]),
            "one": torch.tensor(1.5),
            "none": torch.zeros(0, 4),
            "parameter": torch.nn.Parameter(count[:4].clone()),
        }
    )
    state._metadata = {"": {"version": 1}}  # as Module.state_dict() has it
    torch.save(state, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "lr": 0.1, "state_dict": state}, folder / "nested.pt")
    torch.save(state, folder / "protocol4.pt", pickle_protocol=4)
    state["float8"] = count[:4].to(torch.float8_e4m3fn)
    torch.save(state, folder / "zip.bin")
    _attentions(folder)


def _attentions(folder: Path) -> None:
    """Attention in transformers' form: a tuple of [1, head, query, key], one per layer."""
    even = torch.tril(torch.ones(4, 4))
    maps = torch.stack([even / even.sum(-1, keepdim=True), torch.eye(4)])[None]
    layers = (maps.clone(), maps.clone())
    torch.save(layers, folder / "attentions.pt")
    cross = [layer[:, :, :3].contiguous().half() for layer in layers]
    outputs = {"encoder_attentions": [layer.bfloat16() for layer in layers], "cross_attentions": cross}
    outputs["logits"] = torch.zeros(1, 4, 7)
    torch.save(outputs, folder / "attentions_old.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
