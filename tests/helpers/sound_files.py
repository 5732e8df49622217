"""WAV files for tests, and the configurations of models that read them."""

from __future__ import annotations

import json
import struct

from helpers.paths import INPUTS

GUID = bytes.fromhex("000000001000800000aa00389b71")


def wav(data, kind=1, channels=1, rate=16000, bits=16, extensible=False, size=None, before=b""):
    """The bytes of a WAV file. size: what the data chunk claims to hold."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, channels, rate, rate * block, block, bits)
    if extensible:
        head += struct.pack("<HHIH", 22, bits, 0, kind) + GUID
    claimed = len(data) if size is None else size
    body = before + b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", claimed) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def config_for(case):
    if case.startswith("wav2vec2"):
        return {"model_type": "wav2vec2"}
    settings = json.loads((INPUTS / f"{case}.v5.json").read_text())
    frames = settings["nb_max_frames"]
    return {"model_type": "whisper", "num_mel_bins": settings["feature_size"], "max_source_positions": frames // 2}
