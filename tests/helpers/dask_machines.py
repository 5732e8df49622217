"""A Dask scheduler and workers, each a process of its own, forked from one that has imported everything.

`python -m helpers.dask_machines FILE` starts a scheduler, which writes its address into FILE, and then reads lines of
JSON: {"name", "folder", ...what is odd about this worker} -> prints the worker's process id.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


class Machines:
    """The scheduler, and workers that tests start and lose."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        command = [sys.executable, "-m", "helpers.dask_machines", str(self.file)]
        paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
        )
        self.here, self.elsewhere = folder / "here", folder / "elsewhere"
        self.here.mkdir()
        self.elsewhere.mkdir()
        self._workers = []
        self._process.stdout.readline()

    def start(self, folder=None, **odd):
        """Start a worker in a folder; its process id.

        odd: version, the version of attnviz that it has; slow, a file that it writes before each part, after which it
        sleeps until another file is there; kill, a text that ends it; forever, whether it is started again when it
        ends; threads, how many it has.
        """
        said = {"folder": str(folder or self.here), **odd}
        print(json.dumps(said), file=self._process.stdin, flush=True)
        self._workers.append(int(self._process.stdout.readline()))
        return self._workers[-1]

    def stop_workers(self):
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
        self._workers.clear()

    def close(self):
        self.stop_workers()
        self._process.kill()
        self._process.stdin.close()
        self._process.wait()


def _forked(run, *arguments):
    child = os.fork()
    if child:
        return child
    try:
        os.dup2(2, 1)
        run(*arguments)
    finally:
        os._exit(0)


def _scheduler(file, parent):
    import asyncio

    from distributed import Scheduler

    async def main():
        async with Scheduler(host="127.0.0.1", dashboard=False, dashboard_address=":0", scheduler_file=file) as it:
            while os.getppid() == parent and not it.status.name.startswith("clos"):
                await asyncio.sleep(0.2)

    asyncio.run(main())


def _machine(file, odd):
    """One worker, or one after the other; a group of its own, so that all of it can be killed."""
    os.setpgid(0, 0)
    if not odd.get("forever"):
        _worker(file, odd, os.getppid())
    while True:
        os.waitpid(_forked(_worker, file, odd, os.getpid()), 0)


def _worker(file, odd, parent):
    import asyncio

    from distributed import Worker

    os.chdir(odd["folder"])
    _make_odd(**{name: value for name, value in odd.items() if name not in ("folder", "forever")})

    async def main():
        async with Worker(scheduler_file=file, nthreads=odd.get("threads", 1), dashboard=False) as it:
            while os.getppid() == parent and not it.status.name.startswith("clos"):
                await asyncio.sleep(0.1)

    asyncio.run(main())


def _make_odd(version=None, slow=None, kill=None, threads=1):
    import attnviz
    import attnviz.corpora.work as module
    from attnviz.corpora import remote

    if version is not None:
        attnviz.__version__ = remote.__version__ = version
    measure = module.work

    def work(job, part):
        if slow is not None:
            Path(slow).write_text(str(os.getpid()))
            while not Path(f"{slow}.go").exists():
                time.sleep(0.02)
        if kill is not None and any(kill in text.text for text in part.texts):
            os._exit(3)
        return measure(job, part)

    module.work = work


def main(file):
    import logging

    import pyarrow.parquet  # noqa: F401
    from distributed import Scheduler, Worker  # noqa: F401

    import attnviz.corpora.remote
    import attnviz.corpora.work
    import attnviz.models.load  # noqa: F401

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _forked(_scheduler, file, os.getpid())
    while not Path(file).exists():
        time.sleep(0.02)
    print("ready", flush=True)
    for line in sys.stdin:
        print(_forked(_started, file, json.loads(line)), flush=True)


def _started(file, odd):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _machine(file, odd)


if __name__ == "__main__":
    main(sys.argv[1])
