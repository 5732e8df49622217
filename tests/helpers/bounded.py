"""A few lines of Python run in a separate process, with an upper limit on memory and on time."""

from __future__ import annotations

import textwrap

from helpers import forked
from helpers.effort import usual

LOADED = ("numpy", "typer", "rich.console", "attnviz.errors", "attnviz.checkpoints")

_BEFORE = """
import resource, time
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from attnviz.errors import AttnvizError
start = time.process_time()
def outcome():
{body}
try:
    print("done:", outcome())
except AttnvizError as error:
    print(f"{{type(error).__name__}}: {{error}}")
# Of this program alone: ru_maxrss would count what the tests' own process had when it began this one.
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) >> 10
print(peak, time.process_time() - start)
"""


def bounded(body, megabytes=2048, seconds=120.0):
    """(what the body returns or the error that it raises, as one line; peak MiB of memory; CPU as in `usual`)."""
    program = _BEFORE.format(limit=megabytes << 20, body=textwrap.indent(textwrap.dedent(body), "    "))
    ran = forked.run(program, *LOADED, seconds=seconds)
    assert ran.returncode == 0, ran.stderr[-2000:]
    line, numbers = ran.stdout.splitlines()
    peak, took = numbers.split()
    return line, int(peak), usual(float(took))
