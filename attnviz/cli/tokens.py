"""`attnviz tokens`: how a text is split."""

from __future__ import annotations

from attnviz.cli.expand import command
from attnviz.cli.options import Input, Joined, Json, Talk
from attnviz.cli.source import Unchanged


@command
def run(*, given: Input, source: Unchanged, joined: Joined, output: Json, talk: Talk) -> None:
    """Show how the text is split: index, token, id, characters.

    The indices are those that --query, --mark and --tokens take, with the same --words and --no-special. A folder
    with tokenizer files is enough: neither weights nor config.json are needed.

    attnviz tokens "The animal didn't cross the street"
    attnviz tokens "unbelievable" -m minilm --json
    """
    from attnviz.cli import work

    text = work.text_of(given)
    model = work.splitter(source, talk, given)
    text, ids = work.turn(given, model, text)
    found = model.tokens(text, given.pair, ids)
    if joined.words:
        found = found.merged()
    if joined.no_special:
        found = found.take(i for i, special in enumerate(found.special) if not special)
    if output.json:
        spans = found.spans or ((None, None),) * len(found)
        work.print_json(
            {
                "index": i,
                "token": found.text[i],
                "id": found.ids[i],
                "word": found.words[i],
                "special": found.special[i],
                "segment": found.segments[i],
                "start": spans[i][0],
                "end": spans[i][1],
            }
            for i in range(len(found))
        )
        return

    from attnviz.render.terminal import print_tokens

    print_tokens(found)
