"""Numbers and points as plain decimal text."""

import math
from collections.abc import Callable

Write = Callable[[float], str]  # a number as the text of a program


def number(value: float, digits: int = 6) -> str:
    """Plain decimal text: no exponent, no `-0`, no decimal point on integers, at most `digits` decimals.

    Raises ValueError for infinities and NaN.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number a program can hold")
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def point(at: tuple[float, float], write: Write = number) -> str:
    return f"({write(at[0])},{write(at[1])})"
