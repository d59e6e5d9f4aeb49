import dataclasses
import math
import re
import warnings

import cadquery as cq
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from cadcode.program.parse import MAX_TEXT, parse
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Rejected, Step

EXAMPLE = (
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-20))\nw1=cq.Workplane('ZX',origin=(0,5,0))\n"
    "r=w0.workplane(offset=-83/2).moveTo(-22,-70).cylinder(83,30)"
    ".union(w1.workplane(offset=-26/2).moveTo(47,12).box(10,176,26))"
)
START = "import cadquery as cq\nr=cq.Workplane('XY')"
BOX = "cq.Workplane('XY').box(2,2,2)"


def run(text: str, name: str = "r"):
    namespace = {}
    exec(text, namespace)  # our own text
    return namespace[name].val()


def numbers_of(value) -> list:
    """All numbers of a tree, in order."""
    if dataclasses.is_dataclass(value):
        return numbers_of([getattr(value, field.name) for field in dataclasses.fields(value)])
    if isinstance(value, (list, tuple)):
        return [number for item in value for number in numbers_of(item)]
    return [] if isinstance(value, (str, bool)) else [value]


def form_of(value):
    """A tree without its numbers."""
    if dataclasses.is_dataclass(value):
        return type(value), [form_of(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple):
        return [form_of(item) for item in value]
    return value if isinstance(value, (str, bool)) else None


@settings(deadline=None)
@given(programs(most=4) | programs(whole=False))
def test_compact_text_parses_back_to_the_tree(program):
    assert parse(compact(program)) == program


@settings(max_examples=50, deadline=None)
@given(programs(most=4))
def test_readable_text_parses_back_to_the_tree(program):
    back = parse(readable(program, "made by a test"))
    assert form_of(back) == form_of(program)
    np.testing.assert_allclose(numbers_of(back), numbers_of(program), atol=1e-6 * np.ptp(control_box(program)))


@settings(max_examples=20, deadline=None)
@given(programs(most=4))
def test_a_tolerance_for_the_kernel_changes_no_tree(program):
    plain, tolerant = readable(program), readable(program, tolerance=1e-4)
    assert parse(tolerant) == parse(plain)
    assert tolerant.count(", tol=0.0001)") == len(program.steps) - 1


def test_a_tolerance_is_a_number():
    text = compact(parse("import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3).union(cq.Workplane('XY').box(3,2,1))"))
    assert isinstance(parse(text[:-1] + ",tol=0.1)"), Program)
    assert isinstance(parse(text[:-1] + ",tol=cq.Workplane('XY').box(1,1,1))"), Rejected)


@settings(max_examples=50, deadline=None)
@given(programs(whole=False), st.sampled_from([0.01, 0.37, 1.7, 2500]), st.tuples(*[st.floats(-1000, 1000)] * 3))
def test_readable_text_keeps_numbers_to_a_millionth_of_the_size(program, scale, shift):
    there = moved(program, scale, shift)
    back = parse(readable(there))
    assert form_of(back) == form_of(there)
    size = np.ptp(control_box(there), axis=0).max()
    np.testing.assert_allclose(numbers_of(back), numbers_of(there), rtol=1e-12, atol=0.51e-6 * size)


def test_the_published_example_is_two_bodies():
    cylinder = Extrude("XY", -20 - 83, 83, (Face(Circle((-22, -70), 30)),))
    box = Extrude("ZX", 5 - 26, 26, (Face(Rect((47, 12), 10, 176)),))
    assert parse(EXAMPLE) == Program((Step("union", cylinder), Step("union", box)))


SPELLINGS = {
    "published: sketch with an outline cut out, origin along the normal": (
        "w0=cq.Workplane('YZ',origin=(-7,0,0))\n"
        "r=w0.sketch().segment((0,0),(40,0)).arc((50,10),(40,20)).segment((0,20)).close().assemble()"
        ".reset().face(w0.sketch().segment((5,5),(9,5)).segment((7,9)).close().assemble(),mode='s')"
        ".push([(20,10)]).circle(4,mode='s').finalize().extrude(-12)"
    ),
    "origin off the normal": (
        "w0=cq.Workplane('ZX',origin=(3,5.5,-7))\n"
        "r=w0.sketch().arc((10,5),(5,10),(10,15)).arc((15,10),(10,5)).assemble().finalize().extrude(8)"
        ".cut(w0.workplane(offset=2).moveTo(10,10).cylinder(4.5,2))"
    ),
    "workplane after workplane, moveTo before sketch and forgotten by workplane": (
        "w0=cq.Workplane('XY',origin=(1,2,3)).workplane(offset=2).moveTo(9,9)\n"
        "r=w0.sketch().rect(4,5).finalize().extrude(1).union(w0.workplane(offset=-3).box(2,3,4))"
    ),
    "a push in force repeats what follows": (
        "w0=cq.Workplane('XY')\n"
        "r=w0.sketch().push([(0,0),(20,0)]).rect(10,-10).circle(2,mode='s')"
        ".face(w0.sketch().push([(0,5)]).circle(1).circle(2),mode='s')"
        ".segment((2,8),(4,8)).segment((3,12)).close().assemble().finalize().extrude(3)"
    ),
    "edges that repeat their start, outline closed by hand": (
        "r=cq.Workplane('XY').sketch().segment((0,0),(9,0)).segment((9,0),(9,9)).segment((0,0))"
        ".assemble().finalize().extrude(2)"
    ),
    "named numbers, arithmetic, reassignment": (
        '"""A plate."""\n'
        "# parameters\nt = 3\nside = -(4 * t - 2) / -1 + +t / 2\n\n"
        "plate = cq.Workplane().box(length=side, width=2*side, height=t)  # the plate\n"
        "hole = (\n    cq.Workplane('XY')\n    .workplane(-t)\n    .sketch()"
        ".push([(t / 3, 0), [2, t]]).circle(r=0.75)\n"
        "    .finalize()\n    .extrude(3 * t)\n)\n"
        "r = plate.cut(toCut=hole)\nr = r.intersect(cq.Workplane().box(9, 9, 9))"
    ),
    "solids combined on the right": (
        "b=cq.Workplane('XY').box(20,20,4)\nc=cq.Workplane('XY').cylinder(8,5)\nd=cq.Workplane('YZ').cylinder(30,1)\n"
        "r=b.union(c.union(d)).cut(d.union(cq.Workplane('ZX').cylinder(9,2))).intersect(b.intersect(c).cut(d))"
    ),
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_the_tree_is_the_solid_that_cadquery_makes_of_the_text(text):
    program = parse("import cadquery as cq\n" + text)
    assert isinstance(program, Program), program
    expected, solid = run("import cadquery as cq\n" + text), run(compact(program))
    assert expected.Volume() > 1
    assert solid.Volume() == pytest.approx(expected.Volume(), rel=1e-6)
    assert expected.fuse(solid).Volume() == pytest.approx(expected.Volume(), rel=1e-6)  # in the same place


def test_numbers_come_back_as_floats_and_outlines_closed():
    text = f"{START}.sketch().segment((0,0),(4,0)).arc((5,2),(4,4)).close().assemble().finalize().extrude(-3)"
    program = parse(text)
    loop = Loop((0, 0), (Line((4, 0)), Arc((5, 2), (4, 4)), Line((0, 0))))
    assert program == Program((Step("union", Extrude("XY", 0, -3, (Face(loop),))),))
    assert all(type(number) is float for number in numbers_of(program))


def test_result_goes_before_r():
    program = parse(f"import cadquery as cq\nresult={BOX}\nr=3")
    assert program == parse(f"import cadquery as cq\nr={BOX}")
    assert parse(f"import cadquery as cq\nresult={BOX}\nr=result.cut(result)") == program


OUTSIDE = {
    "nothing": ("", 1, "no solid"),
    "no result": (f"import cadquery as cq\nq={BOX}", 2, "no solid"),
    "not Python": (f"{START}.box(1,2,", 2, "not Python"),
    "another module": ("import cadquery as cq\nimport os", 2, "import"),
    "from import": ("from cadquery import *", 1, "import"),
    "no import": (f"r={BOX}", 1, "`cq` is not known"),
    "def": ("import cadquery as cq\n\ndef f():\n    pass", 3, "name = value"),
    "bare call": ("import cadquery as cq\nprint(1)", 2, "name = value"),
    "builtin": ("import cadquery as cq\nr=open('x')", 2, "open"),
    "attribute": ("import cadquery as cq\nr=cq.exporters.os", 2, "not part"),
    "call on an attribute": ("import cadquery as cq\nr=cq.exporters.export(1)", 2, "not part"),
    "unknown name": (f"import cadquery as cq\n\nr={BOX}.cut(x)", 3, "`x` is not known"),
    "unknown call": (f"{START}.box(1,2,3).fillet(1)", 2, "a solid has no call `fillet`"),
    "later line": (f"{START}.box(\n1,\n2,3\n).union(\n5)", 6, "takes a solid"),
    "plane": ("import cadquery as cq\nr=cq.Workplane('XW').box(1,2,3)", 2, "'XW'"),
    "origin": ("import cadquery as cq\nr=cq.Workplane('XY',origin=(1,2)).box(1,2,3)", 2, "3 numbers"),
    "power": ("import cadquery as cq\na=2**3", 2, "only"),
    "division by zero": ("import cadquery as cq\n\na=1/(2-2)", 3, "division by 0"),
    "arithmetic on text": ("import cadquery as cq\na='b'*3", 2, "no number"),
    "boolean number": (f"{START}.box(True,2,3)", 2, "True"),
    "complex number": (f"{START}.box(1j,2,3)", 2, "1j"),
    "huge number": (f"{START}.box(1e10,2,3)", 2, "beyond"),
    "huge product": ("import cadquery as cq\na=1e9*-2", 2, "beyond"),
    "infinite": (f"{START}.box(1e999,2,3)", 2, "beyond"),
    "named sketch": (f"{START}.sketch().circle(3)", 2, "may have a name"),
    "named text": ("import cadquery as cq\nr='XY'", 2, "may have a name"),
    "two targets": (f"import cadquery as cq\na=r={BOX}", 2, "name = value"),
    "too few arguments": (f"{START}.box(1,2)", 2, "height"),
    "too many arguments": (f"{START}.cylinder(1,2,3)", 2, "too many"),
    "unknown argument": (f"{START}.box(1,2,3,centered=0)", 2, "centered"),
    "angle where the mode was meant": (f"{START}.sketch().rect(1,2,3)", 2, "too many"),
    "starred": (f"{START}.box(*[1,2,3])", 2, "not part"),
    "double starred": (f"{START}.box(1,2,3,**1)", 2, "cannot be read"),
    "negative box": (f"{START}.box(1,2,-3)", 2, "above 0"),
    "no radius": (f"{START}.cylinder(3,0)", 2, "above 0"),
    "no extrusion": (f"{START}.sketch().circle(3).finalize().extrude(0)", 2, "height of 0"),
    "no width": (f"{START}.sketch().rect(0,3).finalize().extrude(1)", 2, "above 0"),
    "mode": (f"{START}.sketch().circle(3).circle(2,mode='i').finalize().extrude(1)", 2, "'i'"),
    "first face subtracts": (f"{START}.sketch().circle(3,mode='s').finalize().extrude(1)", 2, "takes material away"),
    "empty sketch": (f"{START}.sketch().finalize().extrude(1)", 2, "empty sketch"),
    "empty push": (f"{START}.sketch().push([]).circle(1).finalize().extrude(1)", 2, "list of points"),
    "point of three": (f"{START}.sketch().push([(1,2,3)]).circle(1).finalize().extrude(1)", 2, "2 numbers"),
    "not assembled": (f"{START}.sketch().circle(3).segment((0,0),(1,0)).finalize().extrude(1)", 2, "never assembled"),
    "open outline": (f"{START}.sketch().segment((0,0),(1,0)).segment((1,1)).assemble()", 2, "where it starts"),
    "no start": (f"{START}.sketch().segment((0,0)).segment((1,1)).close().assemble()", 2, "starting point"),
    "gap": (f"{START}.sketch().segment((0,0),(1,0)).segment((1,1),(2,2)).close().assemble()", 2, "does not start"),
    "closed twice": (f"{START}.sketch().segment((0,0),(1,0)).segment((1,1)).close().close()", 2, "closed already"),
    "close alone": (f"{START}.sketch().close()", 2, "before any edge"),
    "two outlines": (
        f"{START}.sketch().segment((0,0),(1,0)).segment((1,1)).close().assemble()"
        ".segment((5,0),(6,0)).segment((6,1)).close().assemble()",
        2,
        "its own",
    ),
    "sketch that subtracts in face": (
        f"{START}.sketch().circle(9).face(cq.Sketch().circle(3).circle(2,mode='s'))",
        2,
        "takes material away",
    ),
    "free sketch finalized": ("import cadquery as cq\nr=cq.Sketch().circle(3).finalize().extrude(1)", 2, "workplane"),
    "union of a cut": (f"import cadquery as cq\na={BOX}\nr=a.union(a.cut(a))", 3, "order of steps"),
    "cut of an intersection": (f"import cadquery as cq\na={BOX}\nr=a.cut(a.intersect(a))", 3, "order of steps"),
    "intersection with a union": (f"import cadquery as cq\na={BOX}\nr=a.intersect(a.union(a))", 3, "order of steps"),
}


@pytest.mark.parametrize("text, line, reason", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_outside_the_dialect_is_rejected_with_line_and_reason(text, line, reason):
    result = parse(text)
    assert isinstance(result, Rejected), result
    assert result.line == line and reason in result.reason


HOSTILE = {
    "too long": START + ".moveTo(1,2)" * (MAX_TEXT // 12),
    "long chain": START + ".moveTo(1,2)" * 5000 + ".box(1,2,3)",
    "brackets": "r=" + "(" * 90_000,
    "signs": "r=" + "-" * 90_000 + "1",
    "sums": "r=" + "1+" * 40_000 + "1",
    "attributes": "r=" + "a." * 40_000 + "b",
    "lambdas": "r=" + "lambda:" * 10_000 + "1",
    "comparisons": "r=" + "a<" * 40_000 + "b",
    "long name": "r=" + "a" * 90_000,
    "long text": "import cadquery as cq\nr=cq.Workplane('" + "a" * 90_000 + "')",
    "digits": "r=" + "9" * 90_000,
    "NUL": "r=1\0",
    "surrogate": "r='\udc80'",
    "doubling": f"import cadquery as cq\nr={BOX}\n" + "r=r.union(r)\n" * 60,
    "faces": f"{START}.sketch().push([{'(1,2),' * 5000}])" + ".circle(1)" * 4000 + ".finalize().extrude(1)",
    "edges": f"{START}.sketch().segment((0,0),(1,0))" + ".segment((1,1))" * 6000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_rejected(text):
    result = parse(text)
    assert isinstance(result, Rejected) and result.line >= 1 and 0 < len(result.reason) <= 200


def test_reading_prints_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse("r='\\d'\nr=1or 2").line == 1


VALID = [EXAMPLE, *("import cadquery as cq\n" + text for text in SPELLINGS.values())]
PIECES = [
    "",
    "(",
    ")",
    ",",
    ".",
    "-",
    "0",
    "9" * 12,
    "1e999",
    "'",
    "\n",
    " ",
    "*",
    "r",
    "w0",
    "cq",
    "None",
    "True",
    "=",
    "[",
    "]",
    ".close()",
    ".assemble()",
    ".reset()",
    ".sketch()",
    ".finalize()",
    ",mode='s'",
    "\0",
    "é",
]


@st.composite
def mutated(draw):
    """A valid text with a few stretches replaced by short pieces or by stretches of another."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        other = draw(st.sampled_from(VALID))
        begin = draw(st.integers(0, len(other)))
        piece = draw(st.sampled_from(PIECES) | st.just(other[begin : begin + draw(st.integers(0, 40))]))
        text = text[:at] + piece + text[at + length :]
    return text


WORDS = re.compile(r"[A-Za-z_]\w*|[\d.]+|'\w+'")


@st.composite
def swapped(draw):
    """A valid text with a few names, numbers or strings exchanged for others: mostly still Python."""
    text = draw(st.sampled_from(VALID))
    words = {word for valid in VALID for word in WORDS.findall(valid)}
    pool = [*sorted(words), "0", "-1", "1e10", "(1,2)", "cq.Sketch()"]
    for _ in range(draw(st.integers(1, 3))):
        word = draw(st.sampled_from(list(WORDS.finditer(text))))
        text = text[: word.start()] + draw(st.sampled_from(pool)) + text[word.end() :]
    return text


@settings(max_examples=600, deadline=None)
@given(mutated() | swapped() | st.text(max_size=60))
def test_any_text_is_a_finite_program_or_rejected_with_a_line(text):
    result = parse(text)
    if isinstance(result, Rejected):
        assert result.reason and 1 <= result.line <= len(text.splitlines()) + 1
    else:
        assert all(math.isfinite(number) for number in numbers_of(result))
        assert form_of(parse(compact(result))) == form_of(result)


def test_every_valid_text_of_the_fuzzer_parses():
    assert all(isinstance(parse(text), Program) for text in VALID)
    assert isinstance(run(EXAMPLE), cq.Shape)
