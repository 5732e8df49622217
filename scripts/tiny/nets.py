"""BERT in torch, for the published teacher and for the student: it computes attention's probabilities alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_mlp: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.up, self.down = nn.Linear(d_model, d_mlp), nn.Linear(d_mlp, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model, 1e-12), nn.LayerNorm(d_model, 1e-12)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)

    def log_weights(self, x: Tensor) -> Tensor:
        """[sequence, head, query, key], after a log-softmax."""
        q, k = self._heads(self.q(x)), self._heads(self.k(x))
        return F.log_softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)

    def forward(self, x: Tensor, log_weights: Tensor) -> Tensor:
        mixed = log_weights.exp() @ self._heads(self.v(x))
        x = self.norm1(x + self.o(mixed.transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """Sizes as in a BERT's config.json."""

    def __init__(self, vocab: int, positions: int, n_layers: int, d_model: int, n_heads: int, d_mlp: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, d_model)
        self.positions = nn.Embedding(positions, d_model)
        self.types = nn.Embedding(2, d_model)
        self.norm = nn.LayerNorm(d_model, 1e-12)
        self.layers = nn.ModuleList(Block(d_model, n_heads, d_mlp) for _ in range(n_layers))
        for table in (self.tokens, self.positions, self.types):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, ids: Tensor) -> Iterable[Tensor]:
        """Layer after layer, log weights [sequence, head, query, key]; the last layer's mixing is never computed."""
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]] + self.types.weight[0]
        x = self.norm(x)
        for i, layer in enumerate(self.layers):
            log_weights = layer.log_weights(x)
            yield log_weights
            if i + 1 < len(self.layers):
                x = layer(x, log_weights)

    def stored(self) -> dict[str, Tensor]:
        """Its tensors by the names of a published BERT."""
        found = {}
        for name, values in self.state_dict().items():
            for ours, theirs in NAMES:
                name = name.replace(ours, theirs)
            found[name] = values
        return found

    def fill(self, tensors: dict[str, Tensor]) -> Bert:
        """Load the weights of a published BERT."""
        own = dict(zip(self.stored(), self.state_dict(), strict=True))
        self.load_state_dict({own[name]: values for name, values in tensors.items() if name in own})
        return self


NAMES = (
    ("layers.", "encoder.layer."),
    (".q.", ".attention.self.query."),
    (".k.", ".attention.self.key."),
    (".v.", ".attention.self.value."),
    (".o.", ".attention.output.dense."),
    (".norm1.", ".attention.output.LayerNorm."),
    (".norm2.", ".output.LayerNorm."),
    (".up.", ".intermediate.dense."),
    (".down.", ".output.dense."),
    ("tokens.", "embeddings.word_embeddings."),
    ("positions.", "embeddings.position_embeddings."),
    ("types.", "embeddings.token_type_embeddings."),
    ("norm.", "embeddings.LayerNorm."),
)
