"""The steps of one head as numbers: a flat list (`--json`), an .npz, and one nested JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.files.output import json_text
from attnviz.io.data import write_arrays
from attnviz.measures.steps import Steps, head_share, norm_share, output_share, scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows(steps: Steps) -> Iterator[dict[str, Any]]:
    """One object a number: step, name, layer, head, query, query_token, key, key_token, dim, value.

    key and dim are null where they mean nothing; so is the value of a masked or uncomputed score. Of step 1 there are
    the chosen query's vectors, and the keys and values of all.
    """
    facts = steps.facts

    def made(step: str, name: str, value: Any, key: int | None = None, dim: int | None = None, head: int = facts.head):
        return {
            "step": step,
            "name": name,
            "layer": facts.layer,
            "head": head,
            "query": steps.query,
            "query_token": steps.queries.text[steps.query],
            "key": key,
            "key_token": None if key is None else steps.keys.text[key],
            "dim": dim,
            "value": _number(value),
        }

    for vectors in steps.vectors:
        if vectors.side == "query":
            for d, value in enumerate(vectors.values[steps.query]):
                yield made(vectors.step, vectors.name, value, None, d)
        else:
            for j, vector in enumerate(vectors.values):
                for d, value in enumerate(vector):
                    yield made(vectors.step, vectors.name, value, j, d)
    compared = scaling(steps)
    for scores in steps.scores:
        for j, value in enumerate(scores.row):
            yield made(scores.step, scores.name, value, j)
        if scores.name == "scaled":
            for j, value in enumerate(compared.without):
                yield made(scores.step, "weight_without_scaling", value, j)
            yield made(scores.step, "entropy_without_scaling", compared.entropy_without)
            yield made(scores.step, "entropy_with_scaling", compared.entropy_scaled)
    for j, value in enumerate(steps.weights):
        yield made("5", "weight", value, j)
    if steps.sink is not None:
        yield made(steps.step("sink").label, "sink", steps.sink)
        yield made(steps.step("sink").label, "sink_weight", steps.sink_weight)
    for name, shares in (("norm_share", norm_share(steps)), ("output_share", output_share(steps))):
        for j, value in enumerate(shares):
            yield made("6", name, value, j)
    for d, value in enumerate(steps.output):
        yield made("6", "output", value, None, d)
    shares = head_share(steps)
    for h, vector in enumerate(steps.heads):
        for d, value in enumerate(vector):
            yield made("7", "head_output", value, None, d, h)
        yield made("7", "head_share", shares[h], head=h)
    for d, value in enumerate(steps.projected):
        yield made("7", "projected", value, None, d)


def arrays(steps: Steps) -> dict[str, NDArray[Any]]:
    """Every array of the walk by name.

    Vectors [token, d] under their names; scores as `raw`, `scaled`, ... [query, key], where the text is short enough
    for them, and as `query_raw`, ... [key]; mask and weights likewise; W_Q, W_K, W_V [in, d_head], W_O [d_head, out].
    """
    compared = scaling(steps)
    found: dict[str, NDArray[Any]] = {
        "query": np.array(steps.query),
        "layer": np.array(steps.facts.layer),
        "head": np.array(steps.facts.head),
        "query_tokens": np.array(steps.queries.text, np.str_),
        "key_tokens": np.array(steps.keys.text, np.str_),
        **{vectors.name: vectors.values for vectors in steps.vectors},
        **steps.matrices,
    }
    for scores in steps.scores:
        if scores.matrix is not None:
            found[scores.name] = scores.matrix
        found[f"query_{scores.name}"] = scores.row
    if steps.allowed_matrix is not None and steps.weight_matrix is not None:
        found |= {"mask": steps.allowed_matrix, "weights": steps.weight_matrix}
    found |= {
        "query_mask": steps.allowed,
        "query_weights": steps.weights,
        "query_weights_without_scaling": compared.without,
        "entropy": np.array([compared.entropy_without, compared.entropy_scaled, compared.most]),
        "norm_share": norm_share(steps),
        "output_share": output_share(steps),
        "output": steps.output,
        "heads": steps.heads,
        "head_share": head_share(steps),
        "projected": steps.projected,
    }
    if steps.sink is not None:
        found["sink"] = np.array(steps.sink, np.float32)
    if steps.parts is not None:
        found["parts"] = steps.parts
    return found


def write_npz(steps: Steps, file: IO[bytes], *, made: Mapping[str, Any] | None = None) -> None:
    """The arrays, and meta as JSON text: what made it, and the formula of every step."""
    text = json.dumps(_meta(steps, made), sort_keys=True, ensure_ascii=False)
    write_arrays(file, {**arrays(steps), "meta": np.array(text)})


def write_json(steps: Steps, file: IO[bytes], *, made: Mapping[str, Any] | None = None) -> None:
    """One object: meta, and the arrays as nested lists; null for what is masked or was never computed."""
    found = {name: _nested(values) for name, values in arrays(steps).items()}
    text = json_text({**_meta(steps, made), **found})
    file.write(text.encode("utf-8", "replace") + b"\n")


WRITERS: dict[str, Callable[..., None]] = {"npz": write_npz, "json": write_json}


def _meta(steps: Steps, made: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = steps.facts
    said = [{"step": s.label, "name": s.name, "title": s.title, "formulas": list(s.lines)} for s in steps.steps]
    sizes = {name: getattr(facts, name) for name in ("n_heads", "n_kv_heads", "d_model", "d_head", "scale", "stream")}
    return {"model": facts.model, **sizes, **(made or {}), "steps": said}


def _nested(values: NDArray[Any]) -> Any:
    if values.dtype.kind != "f":
        return values.tolist()
    if values.ndim == 0:
        return _number(values[()])
    if values.ndim > 1:
        return [_nested(part) for part in values]
    return [_number(value) for value in values]


def _number(value: Any) -> float | None:
    """With as few digits as bring the same number back; None for what is not finite."""
    return float(str(value)) if np.isfinite(value) else None
