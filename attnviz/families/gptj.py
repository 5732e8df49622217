"""GPT-J (Wang 2021): attention and MLP side by side after one norm, neighbouring pairs of part of a head rotated."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families._config import Config
from attnviz.families._gpt import turned
from attnviz.families._names import pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "wte.weight",
    **pairs(
        {
            "q": "attn.q_proj",
            "k": "attn.k_proj",
            "v": "attn.v_proj",
            "o": "attn.out_proj",
            "norm1": "ln_1",
            "up": "mlp.fc_in",
            "down": "mlp.fc_out",
        },
        "layers.{i}.",
        "h.{i}.",
    ),
    **pairs({"final_norm": "ln_f"}),
}
UNEMBED = Unembedding(bias="lm_head.bias")
TOKENIZERS = {"gptj": BYTES}


def spec(config: Config) -> Spec:
    """GPTJConfig."""
    return turned(config)
