"""Python programs run in forks of one process that has loaded the installed packages, which takes longer than most."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

_LOADER = """
import gc, importlib, json, os, sys, traceback
for name in {names!r}:
    importlib.import_module(name)
gc.collect()
gc.freeze()
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code, folder, out, settings = json.loads(line)
        os.environ.clear()
        os.environ.update(settings)
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in (1, "out"), (2, "err"):
            os.dup2(os.open(os.path.join(out, name), os.O_WRONLY | os.O_CREAT), number)
        status = 0
        try:
            exec(compile(code, "<string>", "exec"), {{"__name__": "__main__"}})
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run(code, *names, folder=".", seconds=120.0):
    """Run a program where these modules are loaded already -> its `returncode`, `stdout` and `stderr`."""
    loader = _started(names)
    with tempfile.TemporaryDirectory() as out:
        print(json.dumps([code, str(Path(folder).absolute()), out, dict(os.environ)]), file=loader.stdin, flush=True)
        ready, _, _ = select.select([loader.stdout], [], [], seconds)
        if not ready:
            os.killpg(loader.pid, signal.SIGKILL)
            _started.cache_clear()
            raise TimeoutError(f"the program takes more than {seconds:g} seconds")
        status = int(loader.stdout.readline())
        texts = {f"std{name}": (Path(out) / name).read_text(encoding="utf-8") for name in ("out", "err")}
    return SimpleNamespace(returncode=status, **texts)


@cache
def _started(names):
    """The process that has loaded the modules. It ends when the pipe that it reads is closed."""
    call = [sys.executable, "-c", _LOADER.format(names=names)]
    loader = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    atexit.register(loader.communicate)
    return loader
