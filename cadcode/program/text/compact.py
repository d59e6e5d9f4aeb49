"""A program tree as CadQuery text: `compact`, the spelling of the models. The one for people is in `readable`."""

from cadcode.program.text.plain import number
from cadcode.program.tree import OPERATIONS, Feature, Program, Step

IMPORT = "import cadquery as cq"


def compact(program: Program) -> str:
    """The spelling the small model writes: two lines, no spaces, no newline at the end.

    Neighbouring circles (or rectangles) of one size and mode share one `push`. Raises ValueError for a tree that has no
    such text: no bodies, a first step that is no union, a tool that is not cut, a first face that subtracts, an open
    outline.
    """
    check_tree(program)
    first, *rest = program.steps
    return f"{IMPORT}\nr={_chain(first.body)}{''.join(f'.{_combined(step)}' for step in rest)}"


def _chain(body: Feature) -> str:
    return "cq." + ".".join(body.calls(number))


def _combined(step: Step) -> str:
    """The calls on the solid so far that make a step."""
    calls = step.body.applied(step.operation, number)
    return f"{step.operation}({_chain(step.body)})" if calls is None else ".".join(calls)


def check_tree(program: Program) -> None:
    """Raise ValueError where a tree says something no text of the dialect can say."""
    if not program.steps or program.steps[0].operation != "union":
        raise ValueError("a program starts with the union of one body")
    for step in program.steps:
        if step.operation not in OPERATIONS:
            raise ValueError(f"unknown operation {step.operation!r}")
        if step.body.is_tool and step.operation != "cut":
            raise ValueError(f"a {step.body.kind} can only be cut from a solid")
        step.body.check()


def comment(header: str) -> str:
    """The lines of `header` as comment lines; nothing in it can end a comment."""
    lines = ("".join(c if c.isprintable() else "?" for c in line) for line in header.splitlines())
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
