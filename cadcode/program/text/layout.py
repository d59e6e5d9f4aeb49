"""Python text in lines of bounded length: brackets are broken from the outside in, one item a line."""

from dataclasses import dataclass

WIDTH = 110


@dataclass(frozen=True, slots=True)
class Block:
    """`opening`, items, `closing`; the items are parted by commas, or (`chain`) follow one another."""

    opening: str
    items: tuple["Block | str", ...]
    closing: str
    chain: bool = False


def pair(x: str, y: str) -> Block:
    return Block("(", (x, y), ")")


def flat(item: Block | str) -> str:
    """All on one line."""
    if isinstance(item, str):
        return item
    return item.opening + ("" if item.chain else ", ").join(map(flat, item.items)) + item.closing


def lines(item: Block | str, indent: str = "", tail: str = "") -> list[str]:
    """The item with `tail` behind it, on one line where it fits."""
    line = indent + flat(item) + tail
    if isinstance(item, str) or len(line) <= WIDTH:
        return [line]
    if item.chain and not item.closing:
        inner = [line for one in item.items for line in lines(one, indent)]
        return [indent + item.opening, *inner[:-1], inner[-1] + tail]
    comma = "" if item.chain else ","
    inner = [line for one in item.items for line in lines(one, indent + "    ", comma)]
    return [indent + item.opening, *inner, indent + item.closing + tail]


def statement(name: str, calls: list[Block | str]) -> str:
    """`name = ` a chain of calls; broken, it is one call a line inside parentheses."""
    line = f"{name} = {''.join(map(flat, calls))}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = (", *(text for call in calls for text in lines(call, "    ")), ")"])
