"""First layer: an allow-list for program texts, checked on the syntax tree without execution.

A text passes if it imports only `cadquery` and `math`, uses only names that it binds itself or a few harmless builtins,
and only attributes that are modelling methods: `cq.exporters.os` fails at `exporters`. A text that passes can still
loop forever or fill the memory, which the second layer (`jail`) prevents.
"""

import ast
from collections.abc import Callable
from typing import Any

MAX_TEXT = 50_000  # characters; also bounds the depth of the input of `ast.parse`
MAX_DEPTH = 1_000  # levels of the syntax tree; a method chain has two levels per call
MAX_EXPONENT = 16

MODULES = frozenset({"cadquery", "math"})

BUILTINS = frozenset(
    "abs all any bool dict enumerate filter float int len list map max min print range reversed round set sorted "
    "str sum tuple zip show_object".split()
)

ATTRIBUTES = frozenset(
    # cadquery: classes
    "Workplane CQ Sketch Shape Vertex Edge Wire Face Shell Solid Compound Vector Plane Location BoundBox Matrix "
    "selectors NearestToPointSelector ParallelDirSelector DirectionSelector PerpendicularDirSelector TypeSelector "
    "DirectionMinMaxSelector StringSyntaxSelector BoxSelector AreaNthSelector LengthNthSelector RadiusNthSelector "
    # Workplane
    "add all ancestors apply bezier box cboreHole center chamfer circle clean close combine compounds "
    "consolidateWires copyWorkplane cskHole cut cutBlind cutEach cutThruAll cylinder each eachpoint edges ellipse "
    "ellipseArc end extrude faces fillet filter findSolid first hLine hLineTo hole interpPlate intersect invoke item "
    "largestDimension last line lineTo loft map mirror mirrorX mirrorY move moveTo newObject offset2D "
    "parametricCurve parametricSurface placeSketch polarArray polarLine polarLineTo polygon polyline pushPoints "
    "radiusArc rarray rect revolve rotate rotateAboutCenter sagittaArc section shell shells siblings size sketch "
    "slot2D solids sort sphere spline splineApprox split sweep tag tangentArcPoint threePointArc toPending "
    "transformed translate twistExtrude union vLine vLineTo val vals vertices wedge wire wires workplane "
    "workplaneFromTagged plane "
    # Sketch
    "arc assemble constrain copy delete distribute face finalize hull located moved offset parray push regularPolygon "
    "replace reset segment select slot solve subtract trapezoid "
    # shapes: questions, construction, change
    "Area BoundingBox Center CenterOfBoundBox Closed CombinedCenter Compounds Edges Faces IsClosed Length ShapeType "
    "Shells Solids Vertices Volume Wires arcCenter bounds centerOfMass distance distances endPoint geomType isNull "
    "isSolid isValid location locationAt locations normal normalAt outerWire innerWires outerShell innerShells "
    "params positionAt positions radius startPoint tangentAt tangents toTuple "
    "addCavity addHole assembleEdges chamfer2D dprism extend extrudeLinear extrudeLinearWithRotation fillet2D fix "
    "fuse hollow makeBezier makeBox makeCircle makeCompound makeCone makeCylinder makeEllipse makeFromWires makeHelix "
    "makeLine makeLoft makeNSidedSurface makePlane makePolygon makeRuledSurface makeShell makeSolid makeSphere "
    "makeSpline makeSplineApprox makeTangentArc makeThreePointArc makeTorus makeVertex makeWedge project remove "
    "reverse scale stitch sweep_multi thicken transformGeometry transformShape trim "
    # Vector, Plane, Location, BoundBox
    "cross distanceToLine distanceToPlane dot getAngle getSignedAngle multiply normalized projectToLine "
    "projectToPlane sub x y z XY XZ YX YZ ZX ZY back bottom front left right top named origin rotated toLocalCoords "
    "toWorldCoords xDir yDir zDir inverse enlarge isInside xmin xmax xlen ymin ymax ylen zmin zmax zlen center "
    "DiagonalLength rotateX rotateY rotateZ "
    # math
    "pi tau e inf sin cos tan asin acos atan atan2 sqrt hypot radians degrees floor ceil fabs exp log log2 log10 pow "
    "copysign fmod trunc isclose dist "
    # lists and dictionaries
    "append extend insert pop index count items keys values get".split()
)

# Nodes that need no rule. Not included, so refused: class, with, try, raise, del, global, async, await, yield,
# decorators, `match`, walrus, bit shifts.
PLAIN = (
    ast.Module,
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.For,
    ast.While,
    ast.If,
    ast.Return,
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Lambda,
    ast.arguments,
    ast.arg,
    ast.keyword,
    ast.alias,
    ast.Call,
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.comprehension,
    ast.IfExp,
    ast.BoolOp,
    ast.boolop,
    ast.UnaryOp,
    ast.unaryop,
    ast.Compare,
    ast.cmpop,
    ast.Subscript,
    ast.Slice,
    ast.Starred,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.expr_context,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
)


def check(text: str) -> str | None:
    """Reason why `text` is rejected, one line with the line number, or None. Never raises and never executes code."""
    if len(text) > MAX_TEXT:
        return f"longer than {MAX_TEXT} characters"
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return f"line {error.lineno or 0}: {error.msg}"
    except (RecursionError, MemoryError):
        return "nested too deeply"
    except ValueError as error:  # null bytes, lone surrogates
        return f"not a text of characters: {error}"
    return _check_tree(tree)


def _check_tree(tree: ast.Module) -> str | None:
    nodes = _walk(tree)
    if nodes is None:
        return f"nested deeper than {MAX_DEPTH} levels"
    names = BUILTINS | _bound_names(nodes)
    for node in nodes:
        reason = _check_node(node, names)
        if reason is not None:
            return f"line {getattr(node, 'lineno', 0)}: {reason}"
    return None


def _walk(tree: ast.AST) -> list[ast.AST] | None:
    """All nodes, collected without recursion; None if the tree is deeper than MAX_DEPTH."""
    nodes: list[ast.AST] = []
    level = [tree]
    for _ in range(MAX_DEPTH):
        nodes += level
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return nodes
    return None


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    imported = {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    return stored | arguments | functions | imported


def _check_node(node: ast.AST, names: frozenset[str]) -> str | None:
    if isinstance(node, ast.Name):
        return _check_name(node.id, names)
    rule = RULES.get(type(node))
    if rule is not None:
        return rule(node)
    if isinstance(node, ast.arg | ast.keyword) and (node.arg or "").startswith("_"):
        return f"the name '{node.arg}' starts with an underscore"
    return None if isinstance(node, PLAIN) else f"{type(node).__name__} is not allowed"


def _check_name(name: str, names: frozenset[str]) -> str | None:
    if name.startswith("_"):
        return f"the name '{name}' starts with an underscore"
    return None if name in names else f"the name '{name}' is not defined or not allowed"


def _check_import(node: ast.Import) -> str | None:
    refused = [alias.name for alias in node.names if alias.name not in MODULES]
    hidden = [alias.asname for alias in node.names if (alias.asname or "").startswith("_")]
    return f"import of '{(refused + hidden)[0]}'" if refused or hidden else None


def _check_import_from(node: ast.ImportFrom) -> str | None:
    if node.level or node.module not in MODULES:
        return f"import from '{node.module or '.'}'"
    refused = [alias.name for alias in node.names if alias.name not in ATTRIBUTES]
    hidden = [alias.asname for alias in node.names if (alias.asname or "").startswith("_")]
    return f"import of '{(refused + hidden)[0]}'" if refused or hidden else None


def _check_attribute(node: ast.Attribute) -> str | None:
    if not isinstance(node.ctx, ast.Load):
        return f"the attribute '{node.attr}' may not be changed"
    return None if node.attr in ATTRIBUTES else f"the attribute '{node.attr}' is not allowed"


def _check_function(node: ast.FunctionDef) -> str | None:
    if node.decorator_list:
        return "a decorator is not allowed"
    return f"the name '{node.name}' starts with an underscore" if node.name.startswith("_") else None


def _check_power(node: ast.BinOp) -> str | None:
    if not isinstance(node.op, ast.Pow):
        return None
    power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
    small = isinstance(power, ast.Constant) and isinstance(power.value, int | float) and power.value <= MAX_EXPONENT
    return None if small else f"the exponent of ** must be a number up to {MAX_EXPONENT}"


RULES: dict[type[ast.AST], Callable[[Any], str | None]] = {
    ast.Import: _check_import,
    ast.ImportFrom: _check_import_from,
    ast.Attribute: _check_attribute,
    ast.FunctionDef: _check_function,
    ast.BinOp: _check_power,
}
