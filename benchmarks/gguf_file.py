"""Promise 2: SmolLM2-135M from its Q4_1 GGUF file, one sentence: all layers, and one, which needs those below it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import measure

PEER = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name = sys.argv[1].rsplit("/", 1)
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, attn_implementation="eager").eval()
with torch.no_grad():
    found = model(**tokenizer(sys.argv[2], return_tensors="pt"), output_attentions=True).attentions
print(len(found))
"""


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    file = str(measure.smollm2())
    with tempfile.TemporaryDirectory() as folder:
        ours = [sys.executable, "-m", "attnviz", "export", measure.TEXT, "-m", file, "-o", f"{folder}/a.npz"]
        commands = {
            "attnviz, 30 layers": ours,
            "attnviz, layer 0": [*ours, "-l", "0"],
            "attnviz, layer 9": [*ours, "-l", "9"],
        }
        peer = measure.peer_python(args)
        if peer:
            script = Path(folder) / "peer.py"
            script.write_text(PEER)
            commands["transformers"] = [peer, str(script), file, measure.TEXT]
        found = measure.in_turn(commands, args.times)
        first = found["attnviz, 30 layers"]
        rows: list[list[object]] = [["", "wall s", "CPU s", "peak MiB", "times ours (wall)"]]
        for name, runs in found.items():
            rows.append(
                [
                    name,
                    *(measure.median([getattr(r, k) for r in runs]) for k in ("wall", "cpu", "peak")),
                    measure.ratio(first, runs, "wall"),
                ]
            )
        measure.table(rows)


if __name__ == "__main__":
    main()
