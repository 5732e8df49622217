"""Store the arrays of transformers' image processors and feature extractors for a few small pictures and sounds.

    python scripts/make_input_reference.py [FOLDER]      default: tests/reference_inputs

Needs Pillow beside transformers. Run with transformers 4 and with 5: each adds its own spelling of every processor's
file, CASE.v4.json or CASE.v5.json, and the arrays must be the same, or it stops.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor
from transformers.models.whisper import feature_extraction_whisper

MAJOR = transformers.__version__.split(".")[0]
IMAGES = {  # the processor, and what it is given
    "vit": ("vit", "ViT", {"size": {"height": 12, "width": 12}}),
    "vit_int": ("vit", "ViT", {"size": 11, "resample": 3, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.5]}),
    "vit_plain": ("vit", "ViT", {"size": {"height": 9, "width": 14}, "resample": 0, "do_normalize": False}),
    "deit": ("deit", "DeiT", {"size": {"height": 16, "width": 16}, "crop_size": {"height": 12, "width": 12}}),
    "deit_pad": ("deit", "DeiT", {"size": 10, "crop_size": {"height": 13, "width": 12}, "resample": 1}),
    "bit": ("bit", "Bit", {"size": {"shortest_edge": 14}, "crop_size": {"height": 12, "width": 12}}),
    "clip": ("clip", "CLIP", {"size": 13, "crop_size": [11, 9], "rescale_factor": 0.01}),
    "siglip": ("siglip", "Siglip", {"size": {"height": 12, "width": 14}}),
    "beit": ("beit", "Beit", {"size": {"height": 12, "width": 12}, "do_center_crop": False}),
    "beit_crop": (
        "beit",
        "Beit",
        {"size": {"height": 16, "width": 17}, "crop_size": {"height": 12, "width": 11}, "do_center_crop": True},
    ),
}
# A processor of torchvision alone: its steps in torch, as its file describes them.
DINOV3 = {
    "do_convert_rgb": None,
    "do_center_crop": None,
    "crop_size": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "data_format": "channels_first",
    "default_to_square": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "image_processor_type": "DINOv3ViTImageProcessorFast",
    "resample": 2,
    "rescale_factor": 1 / 255,
    "size": {"height": 16, "width": 12},
}
SOUNDS = {
    "whisper": (WhisperFeatureExtractor, {"chunk_length": 1}),
    "whisper_128": (WhisperFeatureExtractor, {"chunk_length": 1, "feature_size": 128}),
    "whisper_8": (WhisperFeatureExtractor, {"chunk_length": 1, "feature_size": 8, "hop_length": 500, "n_fft": 512}),
    "wav2vec2": (Wav2Vec2FeatureExtractor, {}),
    "wav2vec2_as_is": (Wav2Vec2FeatureExtractor, {"do_normalize": False}),
}


def picture(height: int, width: int) -> np.ndarray:
    """Waves, a slope and noise, uint8 [row, column, 3]."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(x / 7 + y / 11), 127 + 120 * np.cos(x / 5), 255 * y / height]
    noise = np.random.default_rng(height).normal(0, 20, (height, width, 3))
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


def pictures() -> dict[str, Image.Image]:
    """Three pictures: a high one, a wide one, and one smaller than its crop."""
    sizes = {"high": (53, 37), "wide": (20, 61), "tiny": (7, 8)}
    return {name: Image.fromarray(picture(*size)) for name, size in sizes.items()}


def wave(n: int) -> np.ndarray:
    """A falling and fading tone with a little noise: float32 [sample] at 16 kHz."""
    t = np.arange(n) / 16000
    tone = 0.3 * np.sin(2 * np.pi * (900 - 800 * t) * t) * np.exp(-3 * t)
    return (tone + np.random.default_rng(n).normal(0, 0.002, n)).astype(np.float32)


def processor(module: str, name: str, options: dict) -> object:
    """An image processor that works with Pillow."""
    if MAJOR == "4":
        found = importlib.import_module(f"transformers.models.{module}.image_processing_{module}")
        return getattr(found, f"{name}ImageProcessor")(**options)
    found = importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}")
    return getattr(found, f"{name}ImageProcessorPil")(**options)


def dinov3(image: Image.Image) -> np.ndarray:
    """The steps of DINOv3ViTImageProcessorFast: rescale, resize with antialiasing, normalise, all in float32."""
    pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float() * DINOV3["rescale_factor"]
    size = tuple(DINOV3["size"].values())
    found = torch.nn.functional.interpolate(pixels[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
    mean, std = (torch.tensor(DINOV3[f"image_{what}"])[:, None, None] for what in ("mean", "std"))
    return ((found - mean) / std).numpy()


def main() -> None:
    """Compute the arrays, compare them with the other release's, and write them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/reference_inputs")
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    sources = pictures()
    for name, image in sources.items():
        image.save(folder / f"{name}.png")
    for case, (module, name, options) in IMAGES.items():
        made = processor(module, name, options)
        described = {key: value for key, value in made.to_dict().items() if not callable(value)}
        (folder / f"{case}.v{MAJOR}.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
        for source, image in sources.items():
            arrays[f"{case}/{source}"] = made(image, return_tensors="np")["pixel_values"][0]
    for release in ("v4", "v5"):
        (folder / f"dinov3.{release}.json").write_text(json.dumps(DINOV3, indent=1, sort_keys=True) + "\n")
    arrays |= {f"dinov3/{source}": dinov3(image) for source, image in sources.items()}
    feature_extraction_whisper.is_torch_available = lambda: False  # its NumPy path, which computes in float64
    for n in (4800, 17000):
        arrays[f"wave/{n}"] = wave(n)
    for case, (kind, options) in SOUNDS.items():
        made = kind(**options)
        described = {key: value for key, value in made.to_dict().items() if key != "mel_filters"}
        (folder / f"{case}.v{MAJOR}.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
        for n in (4800, 17000):
            (found,) = made(arrays[f"wave/{n}"], sampling_rate=16000, return_tensors="np").values()
            arrays[f"{case}/{n}"] = found[0][..., ::7] if "wav2vec2" in case else found[0][:, ::3]
    place = folder / "expected.npz"
    if place.exists():
        stored = np.load(place)
        worst = max(float(np.abs(stored[key] - value).max()) for key, value in arrays.items() if key in stored)
        print(f"largest difference to what is stored: {worst:.1e}")
        assert worst < 1e-6
    np.savez_compressed(place, **arrays)


if __name__ == "__main__":
    main()
