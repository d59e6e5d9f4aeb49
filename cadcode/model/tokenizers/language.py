"""What `cadcode-small` writes in: the compact tokens and their grammar, as decoding asks for them."""

from cadcode.program import tokens


class CompactLanguage:
    """The grammar of `cadcode.program.tokens`; a finished text always parses."""

    start_id, end_id = tokens.START, tokens.END

    def initial(self) -> tokens.State:
        return tokens.State()

    def allowed(self, state: tokens.State) -> tuple[int, ...]:
        return tokens.allowed_ids(state)

    def advance(self, state: tokens.State, token: int) -> tokens.State:
        return tokens.advance(state, token)

    def close(self, ids: list[int]) -> list[int] | None:
        return tokens.close_at_last_body(ids)

    def text(self, ids) -> str:
        return tokens.decode(ids)
