"""Syntax highlighting of programs as HTML."""

import html
import io
import keyword
import tokenize
from itertools import accumulate

SPANS = {tokenize.NUMBER: "n", tokenize.STRING: "s", tokenize.COMMENT: "c"}


def highlighted(text: str) -> str:
    """A Python program as escaped HTML, with spans for keywords, numbers, strings and comments."""
    offsets = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]  # position of the start of each line
    pieces, at = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else SPANS.get(token.type)
            start = offsets[token.start[0] - 1] + token.start[1]
            if kind and text.startswith(token.string, start):
                pieces += [escaped(text[at:start]), f'<span class="{kind}">{escaped(token.string)}</span>']
                at = start + len(token.string)
    except (tokenize.TokenError, SyntaxError):  # the rest stays plain
        pass
    return "".join(pieces) + escaped(text[at:])


def escaped(text) -> str:
    """Text escaped for HTML; lone surrogates (from file names that are invalid Unicode) become '?'."""
    return html.escape(str(text).encode("utf-8", "replace").decode())
