"""Language of `cadcode-small`: the compact tokens and their grammar, as decoding asks for them."""

from cadcode.errors import ModelError
from cadcode.program import tokens


class CompactLanguage:
    """The grammar of `cadcode.program.tokens`; a finished sequence always parses.

    `untrained` pieces, which the checkpoint lacks, are never allowed.
    """

    start_id, end_id = tokens.START, tokens.END

    def __init__(self, untrained: tuple[str, ...] = ()):
        self.untrained = untrained
        self._forbidden = frozenset(tokens.IDS[piece] for piece in untrained)

    def initial(self) -> tokens.State:
        return tokens.State()

    def allowed(self, state: tokens.State) -> tuple[int, ...]:
        """Ids that may come next. ModelError where the grammar asks for a piece that the checkpoint lacks."""
        ids = tokens.allowed_ids(state)
        if not self._forbidden:
            return ids
        if trained := tuple(i for i in ids if i not in self._forbidden):
            return trained
        names = ", ".join(repr(tokens.PIECES[i]) for i in ids[:3])
        raise ModelError(f"the grammar asks for {names}, which the model's vocabulary lacks; train it further")

    def advance(self, state: tokens.State, token: int) -> tokens.State:
        return tokens.advance(state, token)

    def close(self, ids: list[int]) -> list[int] | None:
        return tokens.close_at_last_body(ids)

    def text(self, ids) -> str:
        return tokens.decode(ids)
