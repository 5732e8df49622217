"""The attention that transformers gives for a checkpoint folder, where it and torch are installed; never required."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "transformers"
# Our argument -> theirs. Neither has a batch axis.
_ARGUMENTS = {
    "ids": "input_ids",
    "token_types": "token_type_ids",
    "target_ids": "decoder_input_ids",
    "pixel_values": "pixel_values",
    "input_values": "input_values",
    "input_features": "input_features",
}
_BY_STREAM = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}


class NotComparedError(Exception):
    """Why there is nothing to compare with, in a few words."""


def installed() -> bool:
    """Whether both torch and transformers are installed; nothing is imported to find out."""
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


class Reference:
    """A checkpoint folder opened by transformers: its plain attention code, in float32, from local files only."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise NotComparedError("it opens folders with a config.json only")
        try:
            import transformers

            transformers.logging.set_verbosity_error()
            transformers.utils.logging.disable_progress_bar()
            self._model = transformers.AutoModel.from_pretrained(
                folder, attn_implementation="eager", dtype="float32", local_files_only=True, trust_remote_code=False
            ).eval()
        except Exception as error:  # the library may fail in any way on a folder that attnviz can open
            raise NotComparedError(_first_line(error)) from None

    def attention(self, inputs: Mapping[str, Any], stream: str) -> NDArray[Any]:
        """The weights [layer, head, query, key] of one stream. inputs: arrays by their keywords in `Model.attend`.

        Raises NotComparedError if the library fails or returns no weights.
        """
        import numpy as np
        import torch

        try:
            batch = {_ARGUMENTS[name]: torch.from_numpy(np.asarray(values)[None]) for name, values in inputs.items()}
            # The library prints advice to standard error that is not about the result.
            with Path(os.devnull).open("w") as null, redirect_stderr(null), torch.no_grad():
                out = self._tower(batch)(**batch, output_attentions=True)
            weights = getattr(out, _BY_STREAM.get(stream, "attentions"), None)
            layers = [layer[0] if isinstance(layer, tuple) else layer for layer in weights or ()]
            if not layers or any(layer is None for layer in layers):
                raise NotComparedError("it returns no weights")
            return np.stack([layer[0].numpy() for layer in layers])
        except NotComparedError:
            raise
        except Exception as error:
            raise NotComparedError(_first_line(error)) from None

    def _tower(self, batch: Mapping[str, Any]) -> Any:
        """The tower that reads the input, in a model with two; else the model."""
        tower = getattr(self._model, "vision_model" if "pixel_values" in batch else "text_model", None)
        return self._model if tower is None else tower


def _first_line(error: Exception) -> str:
    """An error's first line, cut."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
