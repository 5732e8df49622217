"""Pages as people make them today: BertViz's head_view and model_view of the arrays of a file.

python peer_page.py ARRAY.npy FOLDER: the array is [layer, head, query, key]. Prints bytes and seconds as JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from bertviz import head_view, model_view

array, folder = np.load(sys.argv[1]), Path(sys.argv[2])
attention = [torch.from_numpy(np.ascontiguousarray(layer))[None] for layer in array]
tokens = [f"w{i}" for i in range(array.shape[-1])]
found = {}
for view in (head_view, model_view):
    start = time.perf_counter()
    page = view(attention, tokens, html_action="return").data
    file = folder / f"{view.__name__}.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{page}</body>')
    found[view.__name__] = [file.stat().st_size, time.perf_counter() - start]
print(json.dumps(found))
