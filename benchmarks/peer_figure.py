"""The figure as people make it today: transformers and matplotlib, one Axes a head."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from transformers import AutoModel, AutoTokenizer

folder, text, out = sys.argv[1:4]
layer = int(sys.argv[4]) if len(sys.argv) > 4 else -1
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
encoded = tokenizer(text, return_tensors="pt")
with torch.no_grad():
    weights = model(**encoded, output_attentions=True).attentions[layer][0].numpy()
tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
figure, axes = plt.subplots(3, 4, figsize=(12, 9), dpi=200, layout="constrained")
for head, axis in enumerate(axes.flat):
    image = axis.imshow(weights[head], vmin=0, vmax=1, cmap="viridis")
    axis.set_title(f"head {head}")
    axis.set_xticks(range(len(tokens)), tokens, rotation=90)
    axis.set_yticks(range(len(tokens)), tokens)
figure.colorbar(image, ax=axes)
figure.savefig(out)
