"""Drilled holes: CadQuery's own solids, texts as people write them, readable texts."""

import math
from itertools import product

import numpy as np
import pytest

from cadcode.program.features.hole import Hole
from cadcode.program.heads import Counterbore, Countersink, Straight
from cadcode.program.parse import parse
from cadcode.program.place import FACING
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.tree import Extrude, Face, Program, Rect, Rejected, Step

BLOCK = "cq.Workplane('XY').box(60,50,40)"
IMPORT = "import cadquery as cq\n"
BORE = 9 * math.pi  # area of a hole of diameter 6
HEADS = {
    "straight": (Straight(), 20, 20 * BORE),
    "counterbore": (Counterbore(10, 4), 20, 16 * BORE + 4 * 25 * math.pi),
    "countersink": (Countersink(12, 90), 20, 17 * BORE + math.pi * 3 * (36 + 18 + 9) / 3),
    "tip below": (Countersink(12, 90), 5, 2 * BORE + math.pi * (3 * (36 + 18 + 9) + 1) / 3),
    "cone alone": (Countersink(12, 90), 2, math.pi * 6 * 36 / 3),
}


def block(plane="XY", low=-20.0, height=40.0, sides=(60.0, 50.0)):
    return Extrude(plane, low, height, (Face(Rect((0.0, 0.0), *sides)),))


def executed(text):
    """The solid of a text of our own making."""
    names = {}
    exec(text, names)
    return names.get("result", names.get("r")).val()


def same_solid(first, second):
    """Whether two executed solids differ by no more volume than rounded digits make."""
    return first.cut(second).Volume() + second.cut(first).Volume() == pytest.approx(0, abs=0.05)


# --- solids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plane", "name"), product(FACING, HEADS))
def test_the_volume_is_that_of_cylinders_and_cones(plane, name):
    head, depth, removed = HEADS[name]
    x, y, normal, sense = FACING[plane]
    sides = [60.0, 50.0, 40.0]
    hole = Hole(plane, sense * sides[normal] / 2, ((8.0, 5.0), (-9.0, 4.0)), 6.0, depth, head)
    program = Program((Step("union", block()), Step("cut", hole)))
    assert parse(compact(program)) == program
    assert executed(compact(program)).Volume() == pytest.approx(60 * 50 * 40 - 2 * removed)
    low, high = hole.bounds()
    points = np.random.default_rng(0).uniform(low, high, (200_000, 3))
    assert hole.inside(points).mean() * np.prod(high - low) == pytest.approx(2 * removed, rel=0.02)


def test_a_hole_starts_at_its_points_and_goes_against_the_normal():
    drilled = parse(f"{IMPORT}r={BLOCK}.copyWorkplane(cq.Workplane('YX',origin=(1,2,-20))).moveTo(3,7).hole(6,10)")
    hole = drilled.steps[1].body
    assert hole == Hole("YX", -20.0, ((5.0, 8.0),), 6.0, 10.0)
    assert hole.inside(np.array([[8, 5, -19], [8, 5, -11], [8, 5, -9], [5, 8, -19]])).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_the_distance_is_exact():
    hole = Hole("XY", 0.0, ((0.0, 0.0), (100.0, 0.0)), 6.0, 20.0, Countersink(12.0, 90.0))
    points = np.array(
        [[0, 0, -20.5], [0, 0, -10], [3.5, 0, -10], [6, 0, 1], [5, 0, -3], [104, 0, -10], [3.2, 4.2, 0.5]]
    )
    root = math.sqrt(0.5)
    expected = [0.5, -3, 0.5, 1, 2 * root, 1, 0.5]
    assert hole.distance(points) == pytest.approx(expected)


# --- texts as people write them --------------------------------------------------------------------------------------

TEXTS = {
    "a hole through the middle": f"r={BLOCK}.faces('>Z').workplane().hole(6)",
    "a keyword": f"r={BLOCK}.faces('>Z').workplane().hole(diameter=6, depth=7)",
    "from below": f"r={BLOCK}.faces('<Z').workplane().pushPoints([(10,5),(-3,7)]).hole(6,12)",
    "from the right": f"r={BLOCK}.faces('>X').workplane().pushPoints([(10,5),(-3,7)]).hole(6,12)",
    "from the left": f"r={BLOCK}.faces('<X').workplane().pushPoints([(10,5),(-3,7)]).hole(6,12)",
    "from behind": f"r={BLOCK}.faces('>Y').workplane().pushPoints([(10,5),(-3,7)]).hole(6,12)",
    "from the front": f"r={BLOCK}.faces('<Y').workplane().pushPoints([(10,5),(-3,7)]).hole(6,12)",
    "corners of a rectangle": f"r={BLOCK}.faces('>Z').workplane()"
    ".rect(40,30,forConstruction=True).vertices().cboreHole(5,9,4)",
    "rows": f"r={BLOCK}.faces('>Z').workplane().rarray(14,20,3,2).cskHole(5,9,82,20)",
    "a ring": f"r={BLOCK}.faces('>Z').workplane().polarArray(15,30,360,5).hole(5)",
    "a part of a ring": f"r={BLOCK}.faces('>Z').workplane().polarArray(15,0,90,3).hole(5)",
    "centre and offset": f"r={BLOCK}.faces('>Z').workplane(offset=-5).center(4,-3).moveTo(1,2).hole(5,6)",
    "a second row": f"r={BLOCK}.faces('>Z').workplane().center(4,3).hole(5,6).faces('<Z').workplane().hole(4,9)",
    "the chain's own origin": "r=cq.Workplane('XY',origin=(3,4,5)).box(60,50,40).faces('>X').workplane().hole(6,9)",
    "another origin": f"r={BLOCK}.faces('>X').workplane(origin=(0,7,3)).hole(6,9)",
    "a named face": f"r={BLOCK}.copyWorkplane(cq.Workplane('right',origin=(30,0,0))).moveTo(4,9).hole(6,9)",
    "a turned plane": f"r={BLOCK}.copyWorkplane(cq.Workplane('XY',origin=(0,0,-20)).transformed(rotate=(180,0,90)))"
    ".moveTo(4,9).hole(6,9)",
    "a plane by its directions": "p=cq.Plane(origin=(30,1,2),xDir=(0,0,1),normal=(1,0,0))\n"
    f"r={BLOCK}.copyWorkplane(cq.Workplane(p)).moveTo(4,9).hole(6,9)",
    "after a boss": f"r={BLOCK}.union("
    "cq.Workplane('XY',origin=(5,5,25)).cylinder(30,10)).faces('>Z').workplane(origin=(5,5,0)).hole(6)",
    "a workplane with a name": f"b={BLOCK}\nw=cq.Workplane('YZ',origin=(30,0,0))\n"
    "p=b.copyWorkplane(w).pushPoints([(1,2),(9,8)])\nr=p.cboreHole(4,8,3,20)",
    "across a shaft": "r=cq.Workplane('ZX').cylinder(60,15).copyWorkplane(cq.Workplane('XY',origin=(0,0,15))).hole(6)",
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_people_write_is_read_as_cadquery_builds_it(name):
    text = IMPORT + TEXTS[name]
    program = parse(text)
    assert isinstance(program, Program), program
    assert program.steps[-1].body.kind == "hole"
    solid = executed(text)
    assert same_solid(solid, executed(compact(program)))
    assert same_solid(solid, executed(readable(program)))


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ("cq.Workplane('XY').sphere(20).faces('>Z').workplane().hole(5)", "without a flat face"),
        (f"{BLOCK}.faces('|Z').workplane().hole(5)", "both ends"),
        (f"{BLOCK}.faces('>Z').workplane(centerOption='CenterOfMass').hole(5)", "projected"),
        (f"{BLOCK}.copyWorkplane(cq.Workplane('XY',origin=(0,0,50))).hole(5)", "starts outside"),
        (f"{BLOCK}.copyWorkplane({BLOCK}).hole(5)", "takes a workplane"),
        (f"{BLOCK}.faces('>Z').workplane().cboreHole(5,4,3)", "wider than its hole"),
        (f"{BLOCK}.faces('>Z').workplane().cboreHole(5,8,3,2)", "less deep"),
        (f"{BLOCK}.faces('>Z').workplane().cskHole(5,8,180)", "between 0 and 180"),
        (f"{BLOCK}.faces('>Z').workplane().hole(-5)", "above 0"),
        (f"{BLOCK}.faces('>Z').workplane().rect(9,9).vertices().hole(5)", "construction"),
        (f"{BLOCK}.faces('>Z').workplane().pushPoints([]).hole(5)", "list of points"),
        (f"{BLOCK}.copyWorkplane(cq.Workplane('XY').transformed(rotate=(30,0,0))).hole(5)", "none of x, y and z"),
    ],
)
def test_what_is_not_understood_has_a_reason(chain, reason):
    refused = parse(f"{IMPORT}r={chain}")
    assert isinstance(refused, Rejected) and reason in refused.reason


# --- other features from a hole --------------------------------------------------------------------------------------


def test_holes_of_one_size_become_one_feature():
    first, second = (Hole("XY", 5.0, (point,), 4.0, 10.0) for point in ((3.0, 2.0), (-3.0, 2.0)))
    joint = first.joined(second)
    assert joint.canonical() == Hole("XY", 5.0, ((-3.0, 2.0), (3.0, 2.0)), 4.0, 10.0)
    assert set(joint.simpler()) == {first, second} and not first.simpler()
    assert first.joined(Hole("XY", 5.0, ((-3.0, 2.0),), 7.0, 10.0)) is None
    assert first.joined(Hole("YX", 5.0, ((-3.0, 2.0),), 4.0, 10.0)) is None
    assert first.joined(Hole("XY", 5.0, ((-3.0, 2.0),), 4.0, 10.0, Counterbore(8.0, 2.0))) is None


def test_a_head_that_no_longer_fits_makes_no_hole():
    hole = Hole("XY", 5.0, ((3.0, 2.0),), 4.0, 10.0, Counterbore(8.0, 2.0))
    numbers = hole.numbers()
    assert numbers.rebuild(numbers.values) == hole
    narrow = [5.0 if slot[0] == "radius" else value for slot, value in zip(numbers.slots, numbers.values, strict=True)]
    assert numbers.rebuild(narrow) is None


def test_only_a_cut_is_written():
    hole = Hole("XY", 20.0, ((3.0, 2.0),), 4.0, 10.0)
    with pytest.raises(ValueError, match="can only be cut"):
        compact(Program((Step("union", block()), Step("union", hole))))


# --- readable texts --------------------------------------------------------------------------------------------------


def test_a_designer_reads_sizes_and_places():
    points = tuple(product((-20.0, 20.0), (-15.0, 15.0)))
    holes = Hole("XY", 20.0, points, 4.5, 40.0, Countersink(9.0, 90.0))
    blind = Hole("ZY", -30.0, ((0.0, 0.0),), 6.0, 12.0)
    text = readable(Program((Step("union", block()), Step("cut", holes), Step("cut", blind))))
    assert "screw_hole_diameter = 4.5\nscrew_hole_head_diameter = 9\nscrew_hole_head_angle = 90\n" in text
    assert "# screw_hole: 4 countersunk holes along z\n" in text
    assert 'copyWorkplane(cq.Workplane("XY", origin=(0, 0, block_height / 2)))' in text
    assert ".cskHole(screw_hole_diameter, screw_hole_head_diameter, screw_hole_head_angle, block_height)" in text
    assert (
        "# hole: a drilled hole along x\n"
        "result = (\n    result\n"
        '    .copyWorkplane(cq.Workplane("ZY", origin=(-block_length / 2, 0, 0)))\n'
        "    .hole(hole_diameter, hole_depth)\n)\n"
    ) in text
    assert parse(text).steps[2].body == blind


def test_a_part_away_from_the_origin_keeps_its_holes_there():
    hole = Hole("YX", 30.0, ((212.0, 109.0),), 6.0, 12.0)
    body = Extrude("XY", 30.0, 25.0, (Face(Rect((100.0, 205.0), 60.0, 50.0)),))
    program = Program((Step("union", body), Step("cut", hole)))
    text = readable(program)
    assert "part_x" in text and parse(text) == program
