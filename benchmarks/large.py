"""Seven billion parameters in Q4_0, and other quantisations: times beside the float32 products of the same shapes.

Writes a Llama-shaped GGUF file of random blocks (the gguf package writes it; 3.8 GB at full size) and measures, each in
a process of its own: the first layer, the whole stack for one text, and one further token. Beside them stand float32
products of the same shapes, timed in the same run, and what the machine can do: bytes read and multiplications done a
second. Memory is the anonymous part (RssAnon); the mapped file is the kernel's to drop.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import measure
import numpy as np

D_MODEL, D_MLP, N_HEADS, VOCAB = 4096, 11008, 32, 32000
OTHERS = "Q4_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL F16 BF16"


def matrices(n_layers: int, d_mlp: int, d_model: int) -> dict[str, tuple[int, int]]:
    """Every matrix of the file, [out, in], by its name there."""
    square, wide, narrow = (d_model, d_model), (d_mlp, d_model), (d_model, d_mlp)
    shapes = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    shapes |= {"ffn_gate": wide, "ffn_up": wide, "ffn_down": narrow}
    named = {f"blk.{i}.{name}.weight": shape for i in range(n_layers) for name, shape in shapes.items()}
    return {"token_embd.weight": (VOCAB, d_model), "output.weight": (VOCAB, d_model), **named}


def write(path: Path, dtype: str, n_layers: int, d_mlp: int = D_MLP, d_model: int = D_MODEL) -> None:
    """The file, with blocks of random bytes whose scales make the weights about as large as trained ones."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama", use_temp_file=False)
    writer.add_block_count(n_layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(d_model)
    writer.add_feed_forward_length(d_mlp)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(d_model // N_HEADS)
    writer.add_vocab_size(VOCAB)
    kind = gguf.GGMLQuantizationType[dtype]
    shapes = matrices(n_layers, d_mlp, d_model)
    norms = [f"blk.{i}.{part}_norm.weight" for i in range(n_layers) for part in ("attn", "ffn")]
    for name in [*norms, "output_norm.weight"]:
        writer.add_tensor_info(name, (d_model,), np.dtype(np.float32), d_model * 4)
    blocks = {shape: random_blocks(dtype, shape) for shape in set(shapes.values())}
    for name, shape in shapes.items():
        raw = blocks[shape]
        writer.add_tensor_info(name, raw.shape, raw.dtype, raw.nbytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _ in [*norms, "output_norm.weight"]:
        writer.write_tensor_data(np.ones(d_model, np.float32))
    for at, shape in enumerate(shapes.values()):
        writer.write_tensor_data(np.roll(blocks[shape], 17 * at, axis=0))  # no two matrices are the same
    writer.close()


def random_blocks(dtype: str, shape: tuple[int, int]) -> np.ndarray:
    """One matrix as stored: uint8 [out, bytes of a row], by the gguf package where it quantises, else random bytes."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    kind, rng = GGMLQuantizationType[dtype], np.random.default_rng(len(dtype) + shape[1])
    if dtype in ("F16", "BF16"):
        values = rng.standard_normal(shape, np.float32) / np.float32(math.sqrt(shape[1]))
        bits = values.astype(np.float16).view(np.uint16) if dtype == "F16" else (values.view("<u4") >> 16).astype("<u2")
        return bits.view(np.uint8).reshape(shape[0], -1)
    numbers, nbytes = GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0] * shape[1] // numbers, nbytes), dtype=np.uint8)
    places = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "Q4_K": (0, 2), "Q5_K": (0, 2)}.get(dtype, (0,))
    places += (2,) if dtype in ("Q4_1", "Q5_1") else ()
    trial = raw[:512].copy()
    for at in places:
        trial[:, at : at + 2] = np.array([1], np.float16).view(np.uint8)
    size = float(np.abs(dequantize(trial, kind)).mean())
    for at in places:
        scale = np.array([1 / (size * math.sqrt(shape[1]))], np.float16)
        raw[:, at : at + 2] = scale.view(np.uint8)
    return raw.reshape(shape[0], -1)


def anonymous() -> float:
    """Anonymous memory of this process in MiB; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


class Peak:
    """The highest anonymous memory while it runs, looked at every 5 ms."""

    def __enter__(self) -> Peak:
        self.most, self._end = anonymous(), threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(0.005):
            self.most = max(self.most, anonymous())

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._watch.join()
        self.most = max(self.most, anonymous())


def work(path: str, what: str, n_tokens: int) -> dict[str, float]:
    """One measurement, in this process: wall and CPU seconds, and the peak of anonymous memory in MiB.

    what: "layer", "stack", "token", "token, nothing kept", or "pooled": all layers, each head pooled to 256 x 256.
    """
    import attnviz
    from attnviz.engine.decode import Choice, greedy
    from attnviz.engine.inputs import Inputs
    from attnviz.models.vocabulary import vocabulary_of

    model = attnviz.load(path)
    ids = np.random.default_rng(1).integers(5, VOCAB, n_tokens).tolist()
    times: dict[str, float] = {}
    with Peak() as peak:
        start, cpu = time.perf_counter(), time.process_time()
        if what.startswith("token"):
            model.keep_weights(0 if "nothing" in what else None)
            vocabulary, spec = vocabulary_of(model), model.spec.generator.spec
            steps = greedy(
                spec,
                model.tensors,
                lambda new, first: Inputs(np.array(new, np.intp), first=first),
                vocabulary,
                ids,
                8,
                Choice(),
            )
            marks = [(time.perf_counter(), time.process_time()) for _ in steps]
            times["wall"], times["cpu"] = (measure.median(np.diff([m[i] for m in marks])[1:].tolist()) for i in (0, 1))
        elif what == "pooled":
            weights = model.attend(ids=ids, cells=256).weights
            assert np.isfinite(weights).all() and weights.shape[0] * weights.shape[1] == model.n_layers * N_HEADS
            times["wall"], times["cpu"] = time.perf_counter() - start, time.process_time() - cpu
        else:
            layer = 0 if what == "layer" else model.n_layers - 1
            weights = model.attend(ids=ids, layers=[layer]).weights
            assert np.isfinite(weights).all()
            times["wall"], times["cpu"] = time.perf_counter() - start, time.process_time() - cpu
    return {**times, "anonymous": peak.most}


def floor(n_layers: int, n_tokens: int) -> dict[str, float]:
    """Float32 products alone, of the stack's shapes: x @ W.T with W in memory, all cores, the library's own threads.

    One token needs the whole stack and the output matrix; a picture of attention needs queries and keys alone of the
    last layer.
    """
    rng = np.random.default_rng(0)
    shapes = [(D_MODEL, D_MODEL)] * 4 + [(D_MLP, D_MODEL)] * 2 + [(D_MODEL, D_MLP)]
    weights = [rng.standard_normal(shape, np.float32) for shape in shapes]
    inputs = {d: rng.standard_normal((n_tokens, d), np.float32) for d in (D_MODEL, D_MLP)}
    times = []
    if n_tokens == 1:
        weights.append(rng.standard_normal((VOCAB, D_MODEL), np.float32))
    for i in range(n_layers):
        used = weights[:2] if n_tokens > 1 and i == n_layers - 1 else weights
        used = used[:7] if i else used  # the output matrix once
        start, cpu = time.perf_counter(), time.process_time()
        for weight in used:
            inputs[weight.shape[1]] @ weight.T
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    return {"wall": sum(t[0] for t in times), "cpu": sum(t[1] for t in times), "anonymous": anonymous()}


def limits() -> dict[str, float]:
    """Bytes read and multiplications done a second, by one thread and by all: the machine's own."""
    from threadpoolctl import threadpool_limits

    big = np.ones(1 << 26, np.float32)
    square = np.ones((2048, 2048), np.float32)

    def best(work: object) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            work()  # type: ignore[operator]
            times.append(time.perf_counter() - start)
        return min(times)

    halves = np.array_split(big, os.cpu_count() or 1)

    def together() -> None:
        threads = [threading.Thread(target=half.max) for half in halves]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    found = {"GB/s, one thread": big.nbytes / best(big.max) / 1e9, "GB/s, all": big.nbytes / best(together) / 1e9}
    for name, count in (("GFLOP/s, one thread", 1), ("GFLOP/s, all", os.cpu_count() or 1)):
        with threadpool_limits(count, user_api="blas"):
            found[name] = 2 * 2048**3 / best(lambda: square @ square) / 1e9
    return found


def child(*arguments: object, threads: int = 0) -> dict[str, float]:
    """Run this program again for one measurement."""
    env = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env.pop(name, None)
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        command += ["--core"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(arguments: list[str]) -> dict[str, float]:
    what = arguments[0]
    if what == "limits":
        return limits()
    if what == "floor":
        return floor(int(arguments[1]), int(arguments[2]))
    return work(arguments[1], what, int(arguments[2]))


def compare(path: Path, n_layers: int, args: argparse.Namespace) -> list[list[object]]:
    """Rows of the table of one file: stack and further token in turn with the floor."""
    rows: list[list[object]] = []
    layer = [child("layer", path, args.tokens, threads=args.threads) for _ in range(args.times)]
    stack, token, plain, floors, ones = [], [], [], [], []
    for _ in range(args.times):
        floors.append(child("floor", n_layers, args.tokens, threads=args.threads))
        stack.append(child("stack", path, args.tokens, threads=args.threads))
        ones.append(child("floor", n_layers, 1, threads=args.threads))
        token.append(child("token", path, args.tokens, threads=args.threads))
        plain.append(child("token, nothing kept", path, args.tokens, threads=args.threads))
    for name, runs, beside in (
        (f"{path.stem}, layer 0", layer, None),
        (f"{path.stem}, whole stack", stack, floors),
        ("    float32 products alone", floors, None),
        (f"{path.stem}, a further token", token, ones),
        ("    nothing kept", plain, ones),
        ("    float32 products alone", ones, None),
    ):
        ratios: list[object] = ["", ""]
        if beside is not None:
            pairs = list(zip(runs, beside, strict=True))
            ratios = [measure.median([a[key] / b[key] for a, b in pairs]) for key in ("wall", "cpu")]
        rows.append([name, *(measure.median([r[key] for r in runs]) for key in ("wall", "cpu", "anonymous")), *ratios])
    return rows


def long_texts(folder: Path, args: argparse.Namespace) -> None:
    """All heads of long texts pooled, and the power of the length that time and memory grow with."""
    path = folder / f"long-{args.layers}-{args.long_model}-{args.long_mlp}.gguf"
    if not path.exists():
        write(path, "Q4_0", args.layers, args.long_mlp, args.long_model)
    rows: list[list[object]] = [["tokens", "wall s", "CPU s", "anonymous MiB"]]
    found = []
    for n in [args.long >> i for i in range(args.lengths)][::-1]:
        found.append((n, child("pooled", path, n, threads=args.threads)))
        rows.append([n, *(found[-1][1][key] for key in ("wall", "cpu", "anonymous"))])
    print(
        f"{args.layers} x {N_HEADS} heads pooled to 256 x 256, d_model {args.long_model}, d_mlp {args.long_mlp}, Q4_0"
    )
    measure.table(rows)
    lengths = np.log([n for n, _ in found])
    for key in ("cpu", "anonymous"):
        power = np.polyfit(lengths, np.log([each[key] for _, each in found]), 1)[0]
        print(f"{key} grows as n^{power:.2f}")


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--times", type=int, default=3, help="counted runs of each")
    made.add_argument("--tokens", type=int, default=32)
    made.add_argument("--layers", type=int, default=32, help="layers of the Q4_0 file")
    made.add_argument("--types", default="Q4_0", help="types at full size")
    made.add_argument("--others", default=OTHERS, help="further types, with --other-layers layers each")
    made.add_argument("--other-layers", type=int, default=2)
    made.add_argument("--threads", type=int, default=0, help="1: on one core")
    made.add_argument("--long", type=int, default=0, help="only texts of up to so many tokens, all heads pooled")
    made.add_argument("--lengths", type=int, default=4, help="how many lengths, each half of the next")
    made.add_argument("--long-model", type=int, default=D_MODEL, help="d_model in the file for long texts")
    made.add_argument("--long-mlp", type=int, default=D_MLP, help="the MLP's width in the file for long texts")
    made.add_argument("--folder", help="where the files are written, and kept; by default a temporary folder")
    made.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    made.add_argument("--core", action="store_true", help=argparse.SUPPRESS)
    args = made.parse_args()
    if args.core:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    if args.one:
        print(json.dumps(one(args.one)))
        return
    print(measure.machine())
    print(", ".join(f"{value:.3g} {name}" for name, value in child("limits").items()))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary)
        if args.long:
            return long_texts(folder, args)
        rows: list[list[object]] = [["", "wall s", "CPU s", "anonymous MiB", "of products (wall)", "(CPU)"]]
        for dtype in args.types.split() + args.others.split():
            n_layers = args.layers if dtype in args.types.split() else args.other_layers
            path = folder / f"{dtype}-{n_layers}.gguf"
            if not path.exists():
                write(path, dtype, n_layers)
            rows += compare(path, n_layers, args)
        measure.table(rows)


if __name__ == "__main__":
    main()
