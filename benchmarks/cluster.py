"""The cost of many texts: texts a CPU second of one process with one thread, bytes on disk, and what a cluster adds.

    OPENBLAS_NUM_THREADS=1 python benchmarks/cluster.py [--model minilm] [--parts 3]

The texts are the sentences of corpus.py, of 3 to 40 words. The time that a cluster adds to each part is measured with
parts of one short text: in this process, and at one worker of a Dask scheduler on this machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from corpus import sentences

from attnviz.corpora.cluster import Cluster
from attnviz.corpora.job import Job, parts
from attnviz.corpora.pool import Here
from attnviz.corpora.run import run
from attnviz.corpora.texts import Text
from attnviz.corpora.work import work
from attnviz.models.load import load

SMALL = 200  # parts of one text


def rates(job: Job, texts: list[Text]) -> None:
    """Texts and tokens a second, and bytes a text, for each measured part."""
    cpu, wall, size = [], [], []
    some = list(parts(texts, job))
    work(job, next(iter(parts(texts[:8], job))))  # warm
    for part in some:
        began = time.process_time(), time.perf_counter()
        files = work(job, part)
        cpu.append(files.texts / (time.process_time() - began[0]))
        wall.append(files.texts / (time.perf_counter() - began[1]))
        size.append((len(files.rows) / files.texts, len(files.sums)))
        rows, sums = size[-1]
        print(
            f"{files.texts} texts, {files.tokens / files.texts:.1f} tokens each: {cpu[-1]:.0f} a CPU second, "
            f"{wall[-1]:.0f} a second, {rows:,.0f} bytes a text, sums {sums:,} bytes a part"
        )
    print(f"median: {statistics.median(cpu):.0f} a CPU second, {statistics.median(wall):.0f} a second")


def overhead() -> None:
    """Milliseconds that a cluster adds to a part, and CPU of its scheduler and of the client."""
    import psutil
    from distributed import Client, LocalCluster

    job = Job.of(load("tiny"), ["stats"], texts=1)

    def texts() -> Iterator[Text]:
        return (Text(i, f"a:{i}", "the cat sat") for i in range(SMALL))

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        began = time.perf_counter(), time.process_time()
        run(job, texts, folder / "near", Here())
        near = time.perf_counter() - began[0], time.process_time() - began[1]
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None)
        with cluster, Client(cluster, set_as_default=False) as client:
            run(job, texts, folder / "warm", Cluster(client=client))
            worker = psutil.Process(client.run(os.getpid).popitem()[1])
            before = sum(worker.cpu_times()[:2])
            began = time.perf_counter(), time.process_time()
            run(job, texts, folder / "far", Cluster(client=client))
            far = time.perf_counter() - began[0], time.process_time() - began[1]
            there = sum(worker.cpu_times()[:2]) - before
    each = 1000 / SMALL
    print(
        f"parts of one text: {near[0] * each:.1f} ms here ({near[1] * each:.1f} of CPU), {far[0] * each:.1f} ms at a "
        f"worker ({there * each:.1f} of its CPU; {far[1] * each:.1f} of CPU of client and scheduler together)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--model", default="minilm")
    given = parser.parse_args()
    print("load of the machine:", *(f"{each:.1f}" for each in os.getloadavg()))
    texts = [Text(i, f"texts:{i + 1}", each) for i, each in enumerate(sentences(1000 * given.parts))]
    for measures in (("stats", "roles", "variability", "links"), ("stats",)):
        print(*measures)
        rates(Job.of(load(given.model), measures), texts)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    overhead()


if __name__ == "__main__":
    main()
