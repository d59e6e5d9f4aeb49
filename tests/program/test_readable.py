"""The text people get: it says the same program, names what a designer would name, and can be edited."""

import ast
import math
import re
from pathlib import Path

import cadquery as cq
import numpy as np
import pytest
from test_parse import form_of, numbers_of

from cadcode.data.shapes import random_program
from cadcode.program.parse import parse
from cadcode.program.text.expression import ZERO, Expression, constant, plain, shortest
from cadcode.program.text.readable import readable
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.sandbox import Sandbox, Solid

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.py"))
PARTS = {path.stem: parse(path.read_text(encoding="utf-8")) for path in SAMPLES}
PLATE = Extrude("XY", 0.0, 8.0, (Face(Rect((0.0, 0.0), 60.0, 40.0)),))
BOSS = Extrude("XY", 8.0, 12.0, (Face(Circle((0.0, 0.0), 9.0)),))


def generated(seed: int) -> Program:
    """A part of the generator, somewhere in the world, in some unit."""
    rng = np.random.default_rng([9, seed])
    place = rng.normal(size=3) * 10 ** rng.uniform(-1, 3) if seed % 3 else np.zeros(3)
    return moved(random_program(rng), math.exp(rng.uniform(-5, 5)), place)


def program(*steps) -> Program:
    return Program(tuple(Step(*step) for step in steps))


def plate_with(*faces) -> Program:
    return program(("union", Extrude("XY", 0.0, 8.0, (*PLATE.faces, *faces))))


def holes(*centres, radius=3.0):
    return [Face(Circle(centre, radius), subtract=True) for centre in centres]


def parameters(text: str) -> dict[str, float]:
    block = text.split("# parameters\n")[1].split("\n\n")[0]
    return {name: float(value) for name, value in (line.split(" = ") for line in block.splitlines())}


def edited(text: str, name: str, value: float) -> str:
    found, count = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.MULTILINE)
    assert count == 1, name
    return found


def run(text: str):
    namespace = {}
    exec(text, namespace)  # our own text
    return namespace["result"].val()


# --- the same program ------------------------------------------------------------------------------------------------


def assert_says(text: str, there: Program) -> None:
    back = parse(text)
    assert form_of(back) == form_of(there)
    size = np.ptp(control_box(there), axis=0).max()
    np.testing.assert_allclose(numbers_of(back), numbers_of(there), rtol=0, atol=1e-6 * size)


@pytest.mark.parametrize("name", PARTS)
def test_a_sample_written_again_is_the_same_program(name):
    assert_says(readable(PARTS[name]), PARTS[name])


@pytest.mark.parametrize("seed", range(40))
def test_a_generated_part_in_the_world_is_the_same_program(seed):
    assert_says(readable(generated(seed), "header"), generated(seed))


def test_lines_can_be_read():
    texts = [readable(part) for part in [*PARTS.values(), *map(generated, range(40))]]
    assert max(len(line) for text in texts for line in text.splitlines()) <= 120


def test_every_parameter_is_used_and_every_feature_has_a_comment():
    for part in PARTS.values():
        text = readable(part)
        used = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
        assert all(used.count(name) > 1 for name in parameters(text))
        assert len(re.findall(r"^# \w+: ", text, re.MULTILINE)) == len(part.steps)
        assert text.count("\nresult = ") == len(part.steps)


def test_outlines_without_area_still_get_a_text():
    flat = Loop((0.0, 0.0), (Line((5.0, 0.0)), Line((9.0, 0.0)), Line((2.0, 0.0)), Line((0.0, 0.0))))
    part = program(("union", Extrude("YZ", 1.0, 2.0, (Face(flat),))))
    assert_says(readable(part), part)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="finite"):
        readable(program(("union", Extrude("XY", 0.0, math.inf, PLATE.faces))))


# --- names -----------------------------------------------------------------------------------------------------------

BODIES = {
    "plate": PLATE,
    "block": Extrude("XY", 0.0, 30.0, PLATE.faces),
    "bar": Extrude("XY", 0.0, 200.0, PLATE.faces),
    "shaft": Extrude("YZ", 3.0, 80.0, (Face(Circle((0.0, 0.0), 9.0)),)),
    "disc": Extrude("YZ", 3.0, 4.0, (Face(Circle((0.0, 0.0), 9.0)),)),
    "ring": Extrude("ZX", 3.0, 4.0, (Face(Circle((0.0, 0.0), 9.0)), *holes((0.0, 0.0)))),
    "tube": Extrude("ZX", 3.0, 40.0, (Face(Circle((0.0, 0.0), 9.0)), *holes((0.0, 0.0)))),
}


@pytest.mark.parametrize("name", BODIES)
def test_first_bodies_are_called_what_they_are(name):
    text = readable(program(("union", BODIES[name])))
    assert f"\nresult = {name}\n" in text
    assert all(parameter.startswith((name, "part", "bore")) for parameter in parameters(text))


LATER = {
    "boss": ("union", BOSS),
    "wall": ("union", Extrude("XY", 8.0, 30.0, (Face(Rect((-27.0, 0.0), 6.0, 40.0)),))),
    "rib": (
        "union",
        Extrude("YZ", -2.0, 4.0, (Face(Loop((0.0, 8.0), (Line((20.0, 8.0)), Line((0.0, 30.0)), Line((0.0, 8.0))))),)),
    ),
    "hole": ("cut", Extrude("XY", -1.0, 10.0, (Face(Circle((20.0, 10.0), 3.0)),))),
    "pocket": ("cut", Extrude("XY", 5.0, 3.0, (Face(Rect((0.0, 0.0), 30.0, 20.0)),))),
    "slot": ("cut", Extrude("XY", 5.0, 3.0, (Face(Rect((0.0, 0.0), 30.0, 6.0)),))),
    "trim": ("intersect", Extrude("XY", -5.0, 30.0, (Face(Circle((0.0, 0.0), 25.0)),))),
}


@pytest.mark.parametrize("name", LATER)
def test_later_features_are_called_what_they_are(name):
    text = readable(program(("union", PLATE), LATER[name]))
    assert text.endswith(f"\nresult = plate\nresult = result.{LATER[name][0]}({name})\n")


def test_equal_dimensions_that_mean_the_same_are_one_parameter():
    through = [("cut", Extrude("XY", -1.0, 10.0, (Face(Circle((x, 0.0), 3.0)),))) for x in (-20.0, 20.0)]
    walls = [("union", Extrude("XY", 8.0, 36.0, (Face(Rect((x, 0.0), 8.0, 40.0)),))) for x in (-26.0, 26.0)]
    text = readable(program(("union", PLATE), *walls, *through))
    assert parameters(text) == {
        "plate_length": 60,
        "plate_width": 40,
        "plate_thickness": 8,
        "wall_height": 36,
        "hole_radius": 3,
        "hole_x": -20,
    }


# --- editing ---------------------------------------------------------------------------------------------------------


def test_what_stands_on_a_plate_moves_with_its_thickness():
    text = edited(readable(program(("union", PLATE), ("union", BOSS))), "plate_thickness", 11.0)
    assert [step.body.offset for step in parse(text).steps] == [0, 11]
    assert run(text).Volume() == pytest.approx(60 * 40 * 11 + math.pi * 81 * 12)


def test_a_pattern_of_holes_stays_symmetric():
    text = readable(plate_with(*holes((-20, -10), (20, -10), (-20, 10), (20, 10))))
    assert {"hole_spacing_x": 40.0, "hole_spacing_y": 20.0}.items() <= parameters(text).items()
    wider = parse(edited(text, "hole_spacing_x", 30.0)).steps[0].body.faces[1:]
    assert [face.outline.centre for face in wider] == [(-15, -10), (15, -10), (-15, 10), (15, 10)]


def test_a_row_of_holes_keeps_its_pitch():
    text = readable(plate_with(*holes((-20, 5), (-5, 5), (10, 5))))
    wider = parse(edited(text, "hole_pitch_x", 12.0)).steps[0].body.faces[1:]
    assert [face.outline.centre for face in wider] == [(-17, 5), (-5, 5), (7, 5)]


def test_many_holes_in_disorder_have_no_parameter_each():
    rng = np.random.default_rng(0)
    text = readable(plate_with(*holes(*rng.uniform(-18, 18, (40, 2)).tolist(), radius=0.5)))
    assert set(parameters(text)) == {"plate_length", "plate_width", "plate_thickness", "hole_radius"}


def test_holes_on_a_circle_stay_on_it():
    turns = [math.tau * i / 5 + 0.3 for i in range(5)]
    part = plate_with(*holes(*[(15 * math.cos(t), 15 * math.sin(t)) for t in turns], radius=2.0))
    smaller = parse(edited(readable(part), "hole_circle_radius", 10.0)).steps[0].body.faces[1:]
    assert [math.hypot(*face.outline.centre) for face in smaller] == pytest.approx([10] * 5, rel=1e-5)


def test_a_hole_through_a_plate_stays_through():
    hole = Extrude("XY", -1.0, 10.0, (Face(Circle((20.0, 10.0), 3.0)),))
    thick = run(edited(readable(program(("union", PLATE), ("cut", hole))), "plate_thickness", 50.0))
    assert thick.Volume() == pytest.approx(50 * (2400 - 9 * math.pi))


def test_walls_of_a_box_keep_their_thickness():
    block = Extrude("XY", 0.0, 30.0, PLATE.faces)
    inside = Extrude("XY", 3.0, 30.0, (Face(Rect((0.0, 0.0), 54.0, 34.0)),))
    text = edited(readable(program(("union", block), ("cut", inside))), "block_length", 80.0)
    assert parse(text).steps[1].body == Extrude("XY", 3.0, 30.0, (Face(Rect((0.0, 0.0), 74.0, 34.0)),))


def test_rounded_corners_stay_round():
    k, corner = math.sqrt(0.5), []
    for sx, sy, first in ((1, -1, True), (1, 1, False), (-1, 1, True), (-1, -1, False)):
        flat, upright = (sx * 25.0, sy * 20.0), (sx * 30.0, sy * 15.0)
        middle = (sx * (25 + 5 * k), sy * (15 + 5 * k))
        corner.append((flat, middle, upright) if first else (upright, middle, flat))
    edges = [edge for start, middle, end in corner for edge in (Line(start), Arc(middle, end))]
    text = readable(program(("union", Extrude("XY", 0.0, 4.0, (Face(Loop(corner[-1][2], tuple(edges))),)))))
    rounder = edited(text, "plate_corner_radius", 10.0)
    assert run(rounder).Volume() == pytest.approx(4 * (2400 - (4 - math.pi) * 100), rel=1e-5)


def test_a_part_away_from_the_origin_moves_as_a_whole():
    there = moved(program(("union", PLATE), ("union", BOSS)), 1.0, (250.0, -31.0, 100.0))
    text = readable(there)
    assert parameters(text)["part_x"] == 250
    beside = moved(there, 1.0, (10.0, 0.0, 0.0))
    moved_on = edited(text, "part_x", 260.0)
    assert_says(moved_on, beside)
    box = run(moved_on).BoundingBox()
    assert (box.xmin, box.xmax, box.zmin) == pytest.approx((230, 290, 100))


def test_most_single_edits_change_the_part_and_leave_it_valid():
    """Each parameter of some samples by 10 %."""
    done = good = 0
    with Sandbox() as sandbox:
        for name in ("angle", "bracket", "cover", "hub"):
            text = readable(PARTS[name])
            before = sandbox.run(text)
            for parameter, value in parameters(text).items():
                done += 1
                good += is_another_part(sandbox.run(edited(text, parameter, value * 1.1)), before)
    assert done > 25 and good >= 0.8 * done


def is_another_part(after, before: Solid) -> bool:
    if not isinstance(after, Solid) or not after.valid:
        return False
    if after.vertices.shape != before.vertices.shape:
        return True
    return not np.allclose(after.vertices, before.vertices, atol=1e-6)


# --- header and numbers ----------------------------------------------------------------------------------------------


def test_a_header_stays_a_comment():
    text = readable(plate_with(), "from a\nb = 1/0\rc = 1/0\x0cd = 1/0\u2028e\0\udc80")
    comments = text.split("import cadquery")[0].splitlines()
    assert len(comments) == 5 and all(line.startswith("# ") for line in comments)
    assert isinstance(run(text), cq.Shape)


def test_expressions_read_like_arithmetic():
    a, b = Expression(3.0, (("a", 1.0),)), Expression(4.0, (("b", 1.0),))
    assert (a * 0.5 + b - constant(2.5)).text() == "a / 2 + b - 2.5"
    assert (-b * 0.25 + a * 1.5).text() == "1.5 * a - b / 4"
    assert (a - a).text() == "0" and (a - a + b - b + constant(0.1) + constant(0.2)).text() == "0.3"
    assert (a * -1).text() == "-a" and (a + b - a).text() == "b" and ZERO.length == 0
    assert (a * 0.5 + b - constant(2.5)).value == 3.0


@pytest.mark.parametrize(
    "value, tolerance, found",
    [
        (14.8000003, 1e-5, 14.8),
        (1234.5678, 0.06, 1234.6),
        (-0.1499999, 1e-6, -0.15),
        (1e-9, 1e-6, 0.0),
        (7.0, 0.0, 7.0),
    ],
)
def test_numbers_are_as_short_as_the_tolerance_allows(value, tolerance, found):
    assert shortest(value, tolerance) == found


def test_plain_numbers_have_no_exponent():
    assert [plain(v) for v in (1e12, 1.5e-7, -0.0, -4.0)] == ["1000000000000", "0.00000015", "0", "-4"]
