"""Patterns: their solids, their texts and their fields, compared with CadQuery and with copies written out."""

import math

import cadquery as cq
import numpy as np
import pytest

from cadcode.program.copies import Copies, nearest_copies
from cadcode.program.feature import Similarity
from cadcode.program.features.grid import Grid
from cadcode.program.features.hole import Hole
from cadcode.program.features.mirrored import Mirrored
from cadcode.program.features.polar import Polar
from cadcode.program.field import occupancy, signed_distance
from cadcode.program.parse import parse
from cadcode.program.surface import sample_surface
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Rejected, Step
from cadcode.sandbox.allowlist import check

BLOCK = Extrude("XY", 1.0, 3.0, (Face(Rect((5.0, 0.0), 4.0, 2.0)),))
PEG = Extrude("XY", 0.0, 10.0, (Face(Circle((40.0, 0.0), 5.0)),))
PLATE = Extrude("XY", 0.0, 10.0, (Face(Rect((0.0, 0.0), 120.0, 120.0)),))
TOOTH = Loop((30.0, -2.0), (Line((42.0, -1.0)), Arc((42.5, 0.0), (42.0, 1.0)), Line((30.0, 2.0)), Line((30.0, -2.0))))

VOLUMES = {
    "apart": (Grid(BLOCK, "XY", (3, 4), (10.0, 12.0)), 12 * 24.0),
    "overlapping": (Grid(BLOCK, "XY", (3, 4), (3.0, 1.0)), 10.0 * 5.0 * 3.0),
    "touching": (Grid(BLOCK, "XY", (3, 4), (4.0, 2.0)), 12 * 24.0),
    "single row": (Grid(BLOCK, "ZX", (1, 5), (0.0, 6.0)), 5 * 24.0),
    "upright plane": (Grid(BLOCK, "YZ", (2, 2), (7.0, 8.0)), 4 * 24.0),
    "ring": (Polar(PEG, "XY", (10.0, -20.0), 6), 6 * math.pi * 25 * 10),
    "part of a ring": (Polar(PEG, "XY", (10.0, -20.0), 4, 15.0, -90.0), 4 * math.pi * 25 * 10),
    "cross": (Polar(BLOCK.stretched(0, 0, -7.0), "XY", (0.0, 0.0), 2, 0.0, 90.0), 3 * (2 * 14 * 2 - 4)),
    "images apart": (Mirrored(BLOCK, "YZ", 0.0), 48.0),
    "images overlapping": (Mirrored(BLOCK, "YZ", 4.0), 36.0),
    "images touching": (Mirrored(BLOCK, "YZ", 3.0), 48.0),
    "image along y": (Mirrored(BLOCK, "ZX", 3.0), 48.0),
}

each_pattern = pytest.mark.parametrize("pattern", [pattern for pattern, _ in VOLUMES.values()], ids=VOLUMES)


def executed(text):
    names = {}
    exec(text, names)  # text of our own making
    return names.get("r", names.get("result")).val()


def program(feature):
    return Program((Step("union", feature),))


def probes(feature, count=3000):
    low, high = feature.bounds()
    return np.random.default_rng(0).uniform(low - 8, high + 8, (count, 3))


def reference(pattern, points):
    """The least distance to all copies, one by one."""
    return np.min([pattern.body.distance(copy.undo(points)) for copy in pattern.copies()], axis=0)


@pytest.mark.parametrize(("pattern", "volume"), VOLUMES.values(), ids=VOLUMES)
def test_the_solid_has_the_right_volume(pattern, volume):
    for text in (compact(program(pattern)), readable(program(pattern))):
        solid = executed(text)
        assert solid.isValid() and solid.Volume() == pytest.approx(volume)
        box = solid.BoundingBox()
        corners = pattern.bounds()
        assert np.all(corners[0] <= np.array([box.xmin, box.ymin, box.zmin]) + 1e-4)
        assert np.all(corners[1] >= np.array([box.xmax, box.ymax, box.zmax]) - 1e-4)


@each_pattern
def test_texts_give_the_same_tree(pattern):
    assert parse(compact(program(pattern))) == program(pattern)
    assert parse(compact(program(pattern.canonical()))) == program(pattern.canonical())


@pytest.mark.parametrize("count", [2, 5, 12, 60])
@pytest.mark.parametrize("body", [PEG, Extrude("XY", 0.0, 10.0, (Face(TOOTH),)), BLOCK], ids=["peg", "tooth", "block"])
def test_only_the_nearest_sectors_are_asked(body, count):
    assert_folded_right(Polar(body, "XY", (3.0, 4.0), count, 10.0))
    assert_folded_right(Polar(body, "XY", (3.0, 4.0), count, 10.0, -360.0))
    assert_folded_right(Polar(body, "XY", (3.0, 4.0), count, 10.0, 250.0))


@pytest.mark.parametrize("spacing", [(1.5, 30.0), (10.0, 12.0), (4.0, 2.0), (60.0, 0.7)])
def test_only_the_nearest_cells_are_asked(spacing):
    assert_folded_right(Grid(BLOCK, "XY", (9, 7), spacing))
    assert_folded_right(Grid(BLOCK.moved(Similarity((1, 2, 0))), "YZ", (9, 7), spacing))


def assert_folded_right(pattern):
    """The sign is that of all copies, the magnitude never larger; near the surface it is the same."""
    points = probes(pattern)
    away, full = pattern.distance(points), reference(pattern, points)
    assert np.array_equal(away < 0, full < 0) and np.array_equal(pattern.inside(points), full < 0)
    assert np.all(np.abs(away) <= np.abs(full) + 1e-9)
    assert np.allclose(away[full < 0.3], full[full < 0.3])


def test_a_ring_of_many_copies_is_asked_at_a_few_of_them():
    pattern = Polar(PEG, "XY", (0.0, 0.0), 20)
    views, beyond = pattern.near(probes(pattern))
    assert len(list(views)) == 2 and beyond.min() > 0
    grid = Grid(BLOCK, "XY", (20, 20), (10.0, 12.0))
    views, beyond = grid.near(probes(grid))
    assert len(list(views)) == 4 and beyond.min() >= 5.0


def test_nearest_copies_leave_out_those_beyond_half_a_step():
    first, size, gap = nearest_copies(np.array([-3.0, 0.2, 4.9, 30.0]), 0.4, 10)
    assert size == 2 and first.tolist() == [0, 0, 4, 8]
    assert gap.tolist() == pytest.approx([4.6, 1.4, 0.7, 22.6])
    first, size, gap = nearest_copies(np.array([-3.0, 9.9]), 0.4, 10, cyclic=True)
    assert size == 2 and first.tolist() == [-4, 9] and gap.min() >= 0.5


@pytest.mark.parametrize(
    ("pattern", "area"),
    [
        (Grid(BLOCK, "XY", (3, 4), (4.0, 2.0)), 2 * (12 * 8 + 12 * 3 + 8 * 3)),
        (Grid(BLOCK, "XY", (3, 1), (3.0, 0.0)), 2 * (10 * 2 + 10 * 3 + 2 * 3)),
        (Mirrored(BLOCK, "YZ", 5.0), 2 * (4 * 2 + 4 * 3 + 2 * 3)),
    ],
    ids=["touching", "overlapping", "the same twice"],
)
def test_shared_surface_counts_once(pattern, area):
    """Samples are uniform: the share on the top face is its share of the area."""
    points, _ = sample_surface(program(pattern), 4000, np.random.default_rng(0))
    assert np.abs(signed_distance(program(pattern), points)).max() < 1e-6
    low, high = pattern.bounds()
    top = (high - low)[:2].prod() / area
    assert (points[:, 2] > high[2] - 1e-6).mean() == pytest.approx(top, abs=0.03)


def test_patterns_are_cut_and_united_like_other_features():
    steps = (Step("union", PLATE), Step("cut", Polar(PEG, "XY", (0.0, 0.0), 6)))
    steps += (Step("union", Grid(BLOCK.moved(Similarity(shift=(-5.0, 0.0, 9.0))), "XY", (2, 2), (80.0, 90.0))),)
    part = Program(steps)
    again = parse(compact(part))
    assert again == part
    volume = 120 * 120 * 10 - 6 * math.pi * 25 * 10 + 4 * 24
    assert executed(compact(part)).Volume() == pytest.approx(volume)
    assert executed(readable(part)).Volume() == pytest.approx(volume, rel=1e-6)


def test_readable_texts_name_counts_and_spacings():
    part = Program((Step("union", PLATE), Step("cut", Polar(PEG, "XY", (0.0, 0.0), 6))))
    text = readable(part)
    assert "hole_count = 6" in text and ".polarArray(0, 0, 360, hole_count)" in text
    edited = executed(text.replace("hole_count = 6", "hole_count = 4"))
    assert edited.Volume() == pytest.approx(120 * 120 * 10 - 4 * math.pi * 25 * 10)
    grid = Grid(BLOCK, "XY", (3, 2), (10.0, 12.0))
    assert ".rarray(block_spacing_x, block_spacing_y, block_count_x, block_count_y)" in readable(program(grid))


def test_a_shifted_mirror_keeps_its_level_in_readable_texts():
    part = program(Mirrored(PLATE.moved(Similarity(shift=(60.0, 33.0, 5.0))), "YZ", 3.0))
    assert executed(readable(part)).Volume() == pytest.approx((2 * 120 - 6) * 120 * 10)


@each_pattern
def test_the_sandbox_runs_patterns(pattern):
    assert check(compact(program(pattern))) is None and check(readable(program(pattern))) is None


def test_a_canonical_ring_is_counter_clockwise():
    assert Polar(PEG, "XY", (0.0, 0.0), 4, 100.0, -90.0).canonical().start == 10.0
    assert Polar(PEG, "XY", (0.0, 0.0), 4, 0.0, 270.0).canonical().full
    assert Polar(PEG, "XY", (0.0, 0.0), 4, 95.0).canonical().start == 5.0
    assert Grid(PEG, "ZX", (1, 4), (9.0, 7.0)).canonical() == Grid(PEG, "XY", (4, 1), (7.0, 0.0))
    assert Mirrored(PEG, "YZ", 60.0).canonical().body.bounds()[0, 0] == 75.0


def test_a_ring_around_a_body_where_it_is():
    ring = Polar.around(PEG, "XY", (30.0, 0.0), 3)
    assert ring.single() == PEG and ring.body.bounds()[0, 0] == 5.0


def test_a_pattern_can_be_taken_apart():
    grid = Grid(BLOCK, "XY", (3, 4), (10.0, 12.0))
    assert grid.simpler() == (BLOCK,) and grid.core() == grid
    assert grid.stretched(2, 1, 9.0).bounds()[1, 2] == 9.0 and grid.stretched(0, 1, 90.0) == grid
    numbers = grid.numbers()
    assert numbers.rebuild([*numbers.values[:-2], 20.0, 0.0]) is None
    assert numbers.rebuild([*numbers.values[:-2], 20.0, 30.0]).spacing == (20.0, 30.0)


# --- texts -----------------------------------------------------------------------------------------------------------

START = "import cadquery as cq\n"
CHAIN = "cq.Workplane('XY').box(4,2,3)"
SKETCH, DONE = "cq.Workplane().sketch().rect(90,90)", "finalize().extrude(5)"
SPELLINGS = {
    "named arguments": "cq.Workplane().rarray(xSpacing=10,ySpacing=12,xCount=3,yCount=4)"
    f".eachpoint({CHAIN},useLocalCoordinates=True,combine='a')",
    "world coordinates": f"cq.Workplane('XY').rarray(10,12,3,4).eachpoint({CHAIN},combine=True)",
    "lifted": f"cq.Workplane('XY').workplane(offset=7).polarArray(0,0,360,3).eachpoint({CHAIN},combine='a')",
    "radius": f"cq.Workplane('XY',origin=(1,2,3)).polarArray(20,30,360,3).eachpoint({CHAIN},True,'a')",
    "angle between": f"cq.Workplane('ZX',origin=(1,2,3)).polarArray(20,0,40,3,fill=False).eachpoint({CHAIN},True,'a')",
    "upright": f"cq.Workplane('YZ',origin=(9,2,3)).workplane(offset=2).rarray(9,8,2,3).eachpoint({CHAIN},True,True)",
    "after moveTo": f"cq.Workplane('XY').moveTo(50,7).rarray(10,0,3,1).eachpoint({CHAIN},True,'a')",
    "mirror about the origin": f"{CHAIN}.mirror('XY',union=True)",
    "mirror with a point": "cq.Workplane('XY').moveTo(9,8).box(4,2,3).mirror('ZY',(3,4,5),True)",
    "image alone": "cq.Workplane('XY').moveTo(9,8).box(4,2,3).mirror('XZ',basePointVector=(3,4,5))",
    "holes in rows": f"{SKETCH}.rarray(20,15,3,2).circle(2,mode='s').{DONE}",
    "holes in a ring": f"{SKETCH}.parray(20,15,360,5).circle(2,mode='s').{DONE}",
    "holes on an arc": f"{SKETCH}.parray(20,15,80,3).circle(2,mode='s').{DONE}",
    "upright windows": f"{SKETCH}.parray(20,15,360,5,rotate=False).rect(4,3,mode='s').{DONE}",
    "rows of rows": f"{SKETCH}.push([(1,2),(8,2)]).rarray(20,15,3,2).circle(2,mode='s')"
    f".reset().circle(1,mode='s').{DONE}",
    "rows of rings": f"{SKETCH}.parray(8,0,360,3).rarray(20,15,3,2).circle(2,mode='s').{DONE}",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_are_read_as_cadquery_runs_them(spelling):
    text = f"{START}r={spelling}"
    part, solid = parse(text), executed(text)
    assert not isinstance(part, Rejected), part
    box = solid.BoundingBox()
    corners = np.array([[box.xmin, box.ymin, box.zmin], [box.xmax, box.ymax, box.zmax]])
    points = np.random.default_rng(0).uniform(corners[0] - 1, corners[1] + 1, (300, 3))
    clear = points[np.abs(signed_distance(part, points)) > 1e-3]
    solids = solid.Solids()
    filled = [any(one.isInside(cq.Vector(*point), 1e-6) for one in solids) for point in clear.tolist()]
    assert np.array_equal(occupancy(part, clear), filled) and any(filled)
    assert executed(compact(part)).Volume() == pytest.approx(solid.Volume())


REFUSED = {
    "copies apart": (f"cq.Workplane('XY').rarray(9,9,3,2).eachpoint({CHAIN},True)", "combine"),
    "a function": ("cq.Workplane('XY').rarray(9,9,3,2).eachpoint(lambda place: place,True,'a')", "lambda"),
    "a number": ("cq.Workplane('XY').rarray(9,9,3,2).eachpoint(3,True,'a')", "takes a solid"),
    "world coordinates": (f"cq.Workplane('YZ').rarray(9,9,3,2).eachpoint({CHAIN},combine='a')", "useLocalCoordinates"),
    "no spacing": (f"cq.Workplane('XY').rarray(9,0,3,2).eachpoint({CHAIN},True,'a')", "apart"),
    "one place": (f"cq.Workplane('XY').rarray(9,9,1,1).eachpoint({CHAIN},True,'a')", "two places"),
    "half a place": (f"cq.Workplane('XY').rarray(9,9,2.5,1).eachpoint({CHAIN},True,'a')", "places"),
    "too many": (f"cq.Workplane('XY').rarray(9,9,100,100).eachpoint({CHAIN},True,'a')", "1000 places"),
    "off its centre": (f"cq.Workplane('XY').rarray(9,9,2,2,False).eachpoint({CHAIN},True,'a')", "centred"),
    "not turned": (f"cq.Workplane('XY').polarArray(9,0,360,3,rotate=False).eachpoint({CHAIN},True,'a')", "turn"),
    "over a turn": (f"cq.Workplane('XY').polarArray(9,0,120,4,fill=False).eachpoint({CHAIN},True,'a')", "full turn"),
    "more than a turn": (f"cq.Workplane('XY').polarArray(9,0,400,4).eachpoint({CHAIN},True,'a')", "full turn"),
    "pattern of a pattern": (f"{CHAIN}.mirror('XY',union=True).mirror('YZ',union=True)", "pattern of a pattern"),
    "combined": (f"{CHAIN}.union({CHAIN}).mirror('XY',union=True)", "combined"),
    "a hole": (f"{CHAIN}.copyWorkplane(cq.Workplane()).hole(1,1).mirror('XY',union=True)", "combined"),
    "mirror in a vector": (f"{CHAIN}.mirror((1,0,0),union=True)", "name of a plane"),
    "turned windows": (
        f"{SKETCH}.parray(20,0,360,5).rect(4,3,mode='s').{DONE}",
        "other than circles",
    ),
    "a truth as a size": ("cq.Workplane().sketch().rect(True,90).finalize().extrude(5)", "must be a number"),
}


@pytest.mark.parametrize(("spelling", "reason"), REFUSED.values(), ids=REFUSED)
def test_other_spellings_are_refused(spelling, reason):
    answer = parse(f"{START}r={spelling}")
    assert isinstance(answer, Rejected) and reason in answer.reason and answer.line == 2


@pytest.mark.parametrize(
    "pattern",
    [
        Mirrored(Mirrored(BLOCK, "YZ", 0.0), "ZX", 9.0),
        Grid(BLOCK, "XY", (1, 1), (9.0, 9.0)),
        Grid(BLOCK, "XY", (3, 2), (9.0, 0.0)),
        Polar(BLOCK, "XY", (0.0, 0.0), 1),
        Polar(BLOCK, "XY", (0.0, 0.0), 3, 0.0, 720.0),
        Grid(Hole("XY", 3.0, ((5.0, 0.0),), 1.0, 2.0), "XY", (3, 2), (9.0, 9.0)),
    ],
)
def test_patterns_without_a_text_are_refused(pattern):
    assert isinstance(pattern, Copies)
    with pytest.raises(ValueError):
        compact(program(pattern))
