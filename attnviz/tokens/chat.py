"""Write a text as a user's turn of a conversation, by a model's own chat template, only on request.

A template is a Jinja program that comes with the model. It needs jinja2, which is not required otherwise, and runs in
jinja2's sandbox, in a separate process (chat_child.py). It has no clock, so that a command gives the same text every
day: a template that writes the date gets the user's (--chat-date). Without --chat-date, a template that checks whether
there is a clock omits the date, and any other is an error.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attnviz.errors import CheckpointError, InputError
from attnviz.tokens.added import read_names
from attnviz.tokens.reading import file_text, read_json
from attnviz.tokens.tokenizer import short

CHILD = Path(__file__).with_name("chat_child.py")
SECONDS = 8
_GGUF = "tokenizer.ggml."


def chat_ids(
    text: str,
    tokenizer: object,
    metadata: Mapping[str, Any] | None,
    folder: Path | None,
    source: str,
    date: str | None = None,
) -> list[int]:
    """Encode a text as a user's turn, by the template in a GGUF file's metadata or in a folder.

    tokenizer: must have `ids_as_written`; tokenizers without it have no template. source: what messages call the model.
    date: the day that the template may write, as 2026-11-21.
    Raises InputError if there is no template, or the date is not valid.
    """
    written = chat_written(text, tokenizer, metadata, folder, source, date)
    return list(tokenizer.ids_as_written(written))  # type: ignore[attr-defined]


def chat_written(
    text: str,
    tokenizer: object,
    metadata: Mapping[str, Any] | None,
    folder: Path | None,
    source: str,
    date: str | None = None,
) -> str:
    """A text as a user's turn, special tokens written out. Arguments and errors as for `chat_ids`."""
    if not hasattr(tokenizer, "ids_as_written") or (metadata is None and folder is None):
        raise _none(source)
    if metadata is not None:
        template, names = template_in_gguf(metadata, source)
    else:
        assert folder is not None
        template, names = template_in_folder(folder, source)
    return chat_text(text, template, names, date)


def chat_text(text: str, template: str, names: Mapping[str, str], date: str | None = None) -> str:
    """Apply the template to one message of the user, followed by the opening of the answer.

    names: bos_token, eos_token, ...: special tokens that the template may use. date: the day that `strftime_now`
    writes, at midnight.
    Raises InputError: jinja2 is not installed, or the date is not valid; CheckpointError: the template fails.
    """
    if date is not None:
        checked_date(date)
    if find_spec("jinja2") is None:
        raise InputError("a chat template needs jinja2, which is not installed", "pip install jinja2")
    asked = {
        "template": template,
        "messages": [{"role": "user", "content": text}],
        "names": dict(names),
        "date": date,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(CHILD)], input=json.dumps(asked).encode(), capture_output=True, timeout=SECONDS
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # out of time, or stopped at a limit
        raise CheckpointError("the chat template did not come to an end") from None
    if "error" in answer:
        hint = "write the whole prompt as TEXT instead, its special tokens included"
        if date is None and "strftime_now" in answer["error"]:
            raise InputError("the chat template writes the date", "name one: --chat-date 2026-01-31 (date=...)")
        raise CheckpointError(f"the chat template failed: {answer['error']}", hint)
    return str(answer["text"])


def checked_date(text: str) -> datetime.date:
    """Parse a date such as 2026-01-31. Raises InputError for anything else."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.date.fromisoformat(text)
    except (ValueError, TypeError):
        pass
    raise InputError(f"a date is written as in 2026-01-31; got {short(repr(text), 40)}")


def template_in_folder(folder: Path, source: str) -> tuple[str, dict[str, str]]:
    """The chat template of a checkpoint folder and the names of special tokens.

    Raises InputError if there is none. Files, in order: chat_template.jinja; chat_template.json; tokenizer_config.json.
    """
    options = read_json(folder / "tokenizer_config.json", optional=True)
    names = {f"{kind}_token": name for kind, name in read_names(folder, options).plain().items()}
    if (folder / "chat_template.jinja").is_file():
        return file_text(folder / "chat_template.jinja"), names
    for settings in (read_json(folder / "chat_template.json", optional=True), options):
        template = _named(settings.get("chat_template"))
        if template is not None:
            return template, names
    raise _none(source)


def template_in_gguf(metadata: Mapping[str, Any], source: str) -> tuple[str, dict[str, str]]:
    """The chat template and the names of special tokens in a GGUF file's metadata."""
    template = metadata.get("tokenizer.chat_template")
    if not isinstance(template, str):
        raise _none(source)
    tokens = metadata.get(_GGUF + "tokens")
    names = {}
    for kind, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        number = metadata.get(f"{_GGUF}{key}_token_id")
        if isinstance(tokens, list) and isinstance(number, int) and 0 <= number < len(tokens):
            names[f"{kind}_token"] = str(tokens[number])
    return template, names


def _named(template: object) -> str | None:
    """A template; of several templates, the one called default."""
    if isinstance(template, list):
        defaults = [
            entry.get("template") for entry in template if isinstance(entry, dict) and entry.get("name") == "default"
        ]
        template = defaults[-1] if defaults else None
    if template is None:
        return None
    if not isinstance(template, str):
        raise CheckpointError(f"a chat template must be a text; got {short(template, 40)}")
    return template


def _none(where: str) -> InputError:
    return InputError(f"{where} has no chat template", "leave out --chat, or write the prompt as its authors say")
