"""Programs as HTML with colours."""

import html
import io
import keyword
import tokenize
from itertools import accumulate

SPANS = {tokenize.NUMBER: "n", tokenize.STRING: "s", tokenize.COMMENT: "c"}


def highlighted(text: str) -> str:
    """A Python program as HTML, with spans for keywords, numbers, strings and comments; escaped in any case."""
    offsets = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]  # of the first character of each line
    pieces, at = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else SPANS.get(token.type)
            start = offsets[token.start[0] - 1] + token.start[1]
            if kind and text.startswith(token.string, start):
                pieces += [escaped(text[at:start]), f'<span class="{kind}">{escaped(token.string)}</span>']
                at = start + len(token.string)
    except (tokenize.TokenError, SyntaxError):  # up to there
        pass
    return "".join(pieces) + escaped(text[at:])


def escaped(text) -> str:
    """For a page, without what no page can hold (halves of surrogates, from names that are no Unicode)."""
    return html.escape(str(text).encode("utf-8", "replace").decode())
