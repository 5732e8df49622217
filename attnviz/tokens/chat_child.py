"""Render one chat template in a separate process: it is an untrusted program that may use up time and memory.

Run by path, not imported. Standard input: {"template", "messages", "names", "date"} as JSON; standard output: {"text"}
or {"error"}. The environment is jinja2's sandbox, and the process may take at most SECONDS and BYTES.
"""

import contextlib
import json
import sys

SECONDS, BYTES, LONGEST = 3, 1 << 30, 4_000_000


def limit():
    """Limit time and memory, if the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's timeout remains
        return
    for what, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, BYTES)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def render(template, messages, names, date):
    """Render a template with messages, followed by the answer's opening. date: as 2026-01-31, or None."""
    from jinja2 import TemplateError
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the answer for training; here its content is rendered unchanged."""

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    Generation.tags = {"generation"}

    def fail(message):
        raise TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = fail
    if date is not None:
        from datetime import datetime

        environment.globals["strftime_now"] = datetime.fromisoformat(date).strftime
    compiled = environment.from_string(template)
    pieces, length = [], 0
    for piece in compiled.generate(messages=messages, tools=None, documents=None, add_generation_prompt=True, **names):
        length += len(piece)
        if length > LONGEST:
            raise ValueError("it makes more text than a model reads")
        pieces.append(piece)
    return "".join(pieces)


def main():
    asked = json.load(sys.stdin)
    limit()
    try:
        answer = {"text": render(asked["template"], asked["messages"], asked["names"], asked["date"])}
    except MemoryError:
        answer = {"error": "it wants too much memory"}
    except Exception as error:
        answer = {"error": " ".join(str(error).split())[:200] or type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
