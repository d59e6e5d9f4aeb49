"""The first wall: what the allow-list lets through, what it refuses, and that it never raises."""

import inspect
import math
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadcode.sandbox.allowlist import ATTRIBUTES, MAX_TEXT, check

GOOD = [
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-8))\nr=w0.sketch().push([(1.5,2)]).circle(3,mode='s')"
    ".reset().face(w0.sketch().segment((0,0),(9,0)).arc((9,9),(0,9)).close().assemble()).finalize().extrude(-5)"
    ".union(w0.workplane(offset=-83/2).moveTo(-22,-70).cylinder(83,30))",
    "import cadquery as cq\nfrom math import pi, cos\nn = 6\n"
    "points = [(10 * cos(2 * pi * i / n), i**2) for i in range(n)]\n"
    "def plate(width, *, high=2.0):\n    return cq.Workplane('XY').rect(width, width).extrude(high)\n"
    "result = plate(20)\nfor p in points:\n    result = result.cut(plate(2, high=4).translate((p[0], p[1], 0)))",
    "import cadquery as cq\nresult = cq.Workplane().box(1, 1, 1).edges('|Z').fillet(0.1).faces('>Z').hole(0.2)",
    "import cadquery as cq\nshow_object(cq.Solid.makeBox(1, 2, 3, cq.Vector(0, 0, 0)))",
    "import cadquery as cq\nr = cq.Workplane()" + ".box(1,1,1)" * 400,
]

HOSTILE = {
    "os through exporters": "import cadquery as cq\ncq.exporters.os.system('id')",
    "os by name": "import cadquery as cq\nx = cq.occ_impl.shapes.os",
    "import os": "import os",
    "import inside": "import math, os as math2",
    "submodule": "import cadquery.occ_impl",
    "from exporters": "from cadquery import exporters",
    "star": "from cadquery import *",
    "relative": "from . import x",
    "class tree": "().__class__.__base__.__subclasses__()",
    "class tree in an f-string": "f'{().__class__}'",
    "globals of a function": "def f(): pass\nf.__globals__",
    "format": "'{0.__class__}'.format(1)",
    "frame of a generator": "(i for i in [1]).gi_frame",
    "exec": "exec('1')",
    "eval": "eval('1')",
    "open": "open('x')",
    "getattr": "getattr(1, 'real')",
    "type": "type(1)",
    "dunder name": "__builtins__",
    "dunder import": "__import__('os')",
    "underscore argument": "f = lambda __x: 1",
    "export": "import cadquery as cq\ncq.Workplane().box(1,1,1).export('x.step')",
    "exportStep": "import cadquery as cq\ncq.Solid.makeBox(1,1,1).exportStep('x.step')",
    "importDXF": "import cadquery as cq\ncq.Sketch().importDXF('x.dxf')",
    "kernel object": "import cadquery as cq\ncq.Solid.makeBox(1,1,1).wrapped",
    "patching": "import cadquery as cq\ncq.Workplane.box = 1",
    "patching by a loop": "import cadquery as cq\nfor cq.Workplane.box in [1]: pass",
    "class": "class A: pass",
    "try": "try:\n    pass\nexcept: pass",
    "with": "with x: pass",
    "decorator": "@print\ndef f(): pass",
    "walrus": "(x := 1)",
    "power of a power": "9**9**9",
    "power of a name": "x = 9\ny = 9**x",
    "large power": "9**99999",
    "shift": "1 << 99999999",
    "undefined": "r = q",
    "syntax": "r = (",
    "null": "r = 1\0",
    "surrogate": "r = '\ud800'",
    "long": "#" * (MAX_TEXT + 1),
    "deep calls": "r = print" + "()" * 20_000,
    "deep sums": "r = 1" + "+1" * 20_000,
    "deep signs": "r = " + "-" * 40_000 + "1",
    "deep brackets": "(" * 5_000,
    "deep subscripts": "r = 1" + "[0]" * 1_500,
    "long number": "r = " + "9" * 20_000,
}


@pytest.mark.parametrize("text", GOOD)
def test_ordinary_programs_pass(text):
    assert check(text) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_are_refused_with_one_line(name):
    reason = check(HOSTILE[name])
    assert isinstance(reason, str) and reason and "\n" not in reason


def test_the_reason_names_the_line():
    assert check("import cadquery as cq\n\nr = cq.exporters").startswith("line 3: ")


@given(st.text())
def test_any_text_gets_an_answer(text):
    assert check(text) is None or isinstance(check(text), str)


TOKENS = "r = cq . Workplane ( ) [ ] { } : 1 ** lambda for in if def not 'a' f'{ }' \n , * # \\".split(" ")


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_row_of_tokens_gets_an_answer(tokens):
    assert check(" ".join(tokens)) is None or isinstance(check(" ".join(tokens)), str)


def test_allowed_attributes_lead_to_no_foreign_module():
    """Walk everything that allowed names reach from `cq` and `math`, through modules and classes."""
    cq = pytest.importorskip("cadquery")
    seen, todo = {}, [cq, math]
    while todo:
        thing = todo.pop()
        members = {name: inspect.getattr_static(thing, name, None) for name in ATTRIBUTES}
        found = [value for value in members.values() if inspect.ismodule(value) or inspect.isclass(value)]
        new = [value for value in found if id(value) not in seen]
        seen |= {id(value): value for value in new}
        todo += new
    modules = {value.__name__ for value in seen.values() if isinstance(value, types.ModuleType)}
    homes = {value.__module__.split(".")[0] for value in seen.values() if inspect.isclass(value)}
    assert all(name.startswith("cadquery.") for name in modules)
    assert not [name for name in modules if "export" in name or "import" in name]
    assert homes <= {"cadquery", "builtins", "typing"}
    assert cq.Workplane in seen.values()


def test_no_allowed_attribute_is_about_files():
    words = ("export", "import", "save", "load", "file", "path")
    assert not [name for name in ATTRIBUTES if any(word in name.lower() for word in words)]
