"""Text to program tree, by reading alone: nothing of the text is ever run.

Understood are the compact spelling (`emit.compact`), the published dialect of CAD-Recode v1.5 and cadrille (shared
workplanes with origins, box and cylinder), planes at any angle, drilled holes, patterns (`rarray`, `polarArray`,
`mirror`), tapers, fillets and chamfers of a prism's caps, and what people edit (`readable`: named numbers, arithmetic,
several assignments). Everything else is `Rejected` with a reason and a line, never an exception.
"""

import ast
import inspect
import math
import operator
import warnings

from cadcode.program.calls import KINDS, METHODS
from cadcode.program.place import Placement
from cadcode.program.selection import Selectors
from cadcode.program.solid_plane import SolidPlane
from cadcode.program.tree import Program, Rejected
from cadcode.program.workplane import MAX_NUMBER, Module, Outside, Plane

MAX_TEXT = 100_000
MAX_REASON = 200
RESULT_NAMES = ("result", "r")
ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def parse(text: str) -> Program | Rejected:
    """The program a text spells, or why it spells none.

    Canonical: origins and workplane offsets become the body's `offset` and coordinates, a box or cylinder a prism over
    one rectangle or circle, a push of several points several faces, `close()` a straight last edge. A feature on a
    plane along the axes, however written, is on XY, YZ or ZX; on any other plane it is `Tilted`, or turned where its
    type can say that. All numbers come back as floats. The solid is the variable `result`, else `r`.
    """
    if len(text) > MAX_TEXT:
        return Rejected(f"longer than {MAX_TEXT} characters", 1)
    try:
        return _result(_read(text))
    except Outside as problem:
        return Rejected(problem.reason[:MAX_REASON], problem.line)
    except SyntaxError as problem:
        return Rejected(f"not Python: {problem.msg}"[:MAX_REASON], problem.lineno or 1)
    except (MemoryError, RecursionError):
        return Rejected("nested too deeply", 1)
    except ValueError:  # what ast.parse raises for NUL bytes, lone surrogates and endless digits
        return Rejected("not Python text", 1)


def _read(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's remarks on odd spellings are not for our users
        return ast.parse(text)


def _result(module: ast.Module) -> Program:
    names: dict[str, object] = {}
    for statement in module.body:
        _execute(statement, names)
    for name in RESULT_NAMES:
        if isinstance(solid := names.get(name), Program):
            return Program(solid.steps)
    last = module.body[-1].end_lineno if module.body else 1
    raise Outside("no solid is named `result` or `r`", last)


def _execute(statement: ast.stmt, names: dict[str, object]) -> None:
    match statement:
        case ast.Import(names=[ast.alias(name="cadquery", asname=alias)]):
            names[alias or "cadquery"] = Module()
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            names[name] = _storable(_evaluate(value, names), statement)
        case ast.Expr(value=ast.Constant(value=str())):
            pass  # a docstring
        case _:
            raise Outside("neither an import of cadquery nor `name = value`", statement.lineno)


def _storable(value, statement: ast.stmt):
    """Sketches change in place in CadQuery; under a name, that would be seen elsewhere."""
    if isinstance(value, float) or isinstance(value, Placement | Plane | SolidPlane | Program):
        return value
    raise Outside("only numbers, planes, workplanes and solids may have a name", statement.lineno)


def _evaluate(node: ast.expr, names: dict[str, object]):
    """The value of an expression: float, str, bool, tuple of values, or a kind of `calls`."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bool() as choice):
            return choice
        case ast.Constant(value=int() | float() as number):
            return _bounded(number, node)
        case ast.Name(id=name):
            if name not in names:
                raise Outside(f"`{name}` is not known", node.lineno)
            return names[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _operand(operand, names)
            return -number if isinstance(sign, ast.USub) else number
        case ast.BinOp():
            return _arithmetic(node, names)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_evaluate(item, names) for item in items)
        case ast.Attribute(value=ast.Name(id=name), attr="selectors") if isinstance(names.get(name), Module):
            return Selectors()
        case ast.Call(func=ast.Attribute()):
            return _chain(node, names)
    raise Outside(f"`{ast.unparse(node)[:40]}` is not part of the dialect", node.lineno)


def _arithmetic(node: ast.BinOp, names: dict[str, object]) -> float:
    left, right = _operand(node.left, names), _operand(node.right, names)
    if type(node.op) not in ARITHMETIC:
        raise Outside("numbers are combined by + - * / only", node.lineno)
    if isinstance(node.op, ast.Div) and right == 0:
        raise Outside("a division by 0", node.lineno)
    return _bounded(ARITHMETIC[type(node.op)](left, right), node)


def _operand(node: ast.expr, names: dict[str, object]) -> float:
    value = _evaluate(node, names)
    if not isinstance(value, float):
        raise Outside("arithmetic with something that is no number", node.lineno)
    return value


def _bounded(number: int | float, node: ast.expr) -> float:
    if not abs(number) <= MAX_NUMBER or not math.isfinite(number):
        raise Outside(f"a number beyond {MAX_NUMBER:.0f}", node.lineno)
    return float(number)


def _chain(node: ast.expr, names: dict[str, object]):
    """`base.call(...).call(...)`, read from the inside out without recursion: chains may be long."""
    calls = []
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        calls.append(node)
        node = node.func.value
    value = _evaluate(node, names)
    for call in reversed(calls):
        value = _call(value, call, names)
    return value


def _call(target, node: ast.Call, names: dict[str, object]):
    name, line = node.func.attr, node.end_lineno
    method = METHODS.get(type(target), {}).get(name)
    if method is None:
        raise Outside(f"{KINDS.get(type(target), 'a value')} has no call `{name}` in the dialect", line)
    values = [_evaluate(argument, names) for argument in node.args]
    named = {keyword.arg: _evaluate(keyword.value, names) for keyword in node.keywords}
    if None in named or len(named) < len(node.keywords):
        raise Outside(f"arguments of `{name}` that cannot be read", line)
    try:
        inspect.signature(method).bind(target, *values, **named)
    except TypeError as problem:
        raise Outside(f"`{name}`: {problem}", line) from None
    try:
        return method(target, *values, **named)
    except Outside as problem:
        raise Outside(problem.reason, problem.line or line) from None
