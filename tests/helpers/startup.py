"""The modules that a command loads, in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

HEAVY = ["numpy", "matplotlib", "tokenizers", "PIL", "safetensors", "ml_dtypes", "pydantic", "huggingface_hub", "torch"]
PROBE = """
import json, sys
from attnviz.cli import main
status = main({words!r})
sys.stderr.write(json.dumps([status, sorted(sys.modules)]))
"""


@cache
def loaded(*words):
    """(exit status, standard output, names of all modules) of a command; each command is run once."""
    code = PROBE.format(words=list(words))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    return status, done.stdout, frozenset(modules)
