"""Time limits of the search: a function that says whether the time is over."""

from collections.abc import Callable

Late = Callable[[], bool]


def never() -> bool:
    """No time limit."""
    return False
