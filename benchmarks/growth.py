"""Promise 5: time no worse than n^2, memory no worse than n beyond the fixed part, at five lengths and fitted.

A seeded model of 2 layers x 8 heads x 32 dimensions, pooled to 256 x 256, each length in a separate process.
"""

from __future__ import annotations

import sys

import measure
import numpy as np

LENGTHS = (1280, 2560, 5120, 10_240, 20_480)


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    program = (
        "import sys, attnviz; n = int(sys.argv[1]);"
        "m = attnviz.load('seeded', n_layers=2, n_heads=8, d_model=256);"
        "m.attend(' '.join(f'w{i % 997}' for i in range(n)), cells=256)"
    )
    rows: list[list[object]] = [["tokens", "wall s", "CPU s", "peak MiB"]]
    found = []
    for n in LENGTHS:
        runs = [measure.run([sys.executable, "-c", program, str(n)]) for _ in range(min(args.times, 3))]
        found.append(measure.Run(*(measure.median([getattr(r, k) for r in runs]) for k in ("wall", "cpu", "peak")), 0))
        rows.append([n, found[-1].wall, found[-1].cpu, found[-1].peak])
    base = measure.run([sys.executable, "-c", program, "16"])
    measure.table(rows)
    n = np.log(LENGTHS[1:])
    for what in ("cpu", "peak"):
        beyond = [max(getattr(r, what) - getattr(base, what), 1e-3) for r in found[1:]]
        print(f"{what}, beyond the fixed part, grows as n^{np.polyfit(n, np.log(beyond), 1)[0]:.2f}")


if __name__ == "__main__":
    main()
