import cadquery as cq
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadcode.program.feature import Similarity
from cadcode.program.features.hole import Hole
from cadcode.program.features.mirrored import Mirrored
from cadcode.program.features.tilted import Tilted, tilted
from cadcode.program.field import bounds, occupancy, signed_distance
from cadcode.program.parse import parse
from cadcode.program.place import DIRECTIONS, Placement, angles_of, rotation_of
from cadcode.program.symmetry import SYMMETRIES
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Rejected, Step
from cadcode.search.numbers import Parameters
from cadcode.search.round_numbers import round_numbers

BRICK = Extrude("XY", 0.0, 10.0, (Face(Rect((5.0, 0.0), 40.0, 20.0)),))
PLACE = Placement.of((1.0, 2.0, 3.0), rotation_of((10.0, 20.0, 30.0)))
PLANE = "cq.Workplane(cq.Plane(origin=(1,2,3),xDir=(0.8,0,-0.6),normal=(0.36,0.8,0.48)))"
SKETCH = ".sketch().rect(30,10).push([(9,3)]).circle(1,mode='s').finalize()"
NUMBER = st.integers(-1800, 1800).map(lambda tenths: tenths / 10)

# Chains as users write them; each ends in a solid.
CHAINS = (
    f"{PLANE}.box(20,10,4)",
    f"{PLANE}.workplane(offset=7).moveTo(3,-2).cylinder(30,4)",
    f"{PLANE}{SKETCH}.extrude(5)",
    f"{PLANE}{SKETCH}.extrude(-5)",
    f"{PLANE}.sketch().push([(20,3)]).rect(10,12).finalize().revolve(360,(0,0,0),(0,1,0))",
    f"{PLANE}.sketch().push([(20,3)]).rect(10,12).finalize().revolve(70,(2,0,0),(2,1,0))",
    f"{PLANE}.sketch().push([(3,20)]).rect(10,12).finalize().revolve(70,(0,0,0),(-1,0,0))",
    f"{PLANE}.sketch().push([(20,3)]).rect(10,12).finalize().revolve(70)",
    f"{PLANE}.moveTo(4,5).sphere(8)",
    f"cq.Workplane(cq.Plane((1,2,3),(2,2,0),(0,0,-3))){SKETCH}.extrude(5)",
    f"cq.Workplane(cq.Plane(origin=(1,2,3),normal=(1,-2,3)),origin=(9,9,9)){SKETCH}.extrude(5)",
    f"cq.Workplane(cq.Plane(origin=(1,2,3),normal=(3,2,-1))){SKETCH}.extrude(5)",
    f"cq.Workplane(cq.Plane(origin=(1,2,3),normal=(0.1,2,3))){SKETCH}.extrude(5)",
    f"cq.Workplane(cq.Plane(origin=(1,2,3),normal=(0,-0.6,0.8))){SKETCH}.extrude(5)",
    f"cq.Workplane('XY').transformed(rotate=(0,30,0)){SKETCH}.extrude(5)",
    f"cq.Workplane('YZ',origin=(4,5,6)).transformed((10,20,30),(1,2,3)){SKETCH}.extrude(5)",
    f"cq.Workplane('ZX').workplane(offset=3).transformed(offset=(1,2,3)){SKETCH}.extrude(5)",
    f"cq.Workplane('XY').moveTo(5,6).transformed(rotate=(0,0,45)){SKETCH}.extrude(5)",
    f"cq.Workplane('XZ',origin=(4,5,6)).transformed(rotate=(0,0,45)).transformed(rotate=(20,0,0)){SKETCH}.extrude(5)",
    f"cq.Workplane('XY').transformed(rotate=(0,30,0)).workplane(offset=8).moveTo(2,3).transformed(rotate=(0,-30,0)){SKETCH}.extrude(5)",
    f"cq.Workplane('XY',origin=(1,0,0)).transformed(rotate=(90,0,90)){SKETCH}.extrude(5)",
    "cq.Workplane('XY',origin=(3,4,5)).transformed(rotate=(0,25,0)).sketch().push([(20,3)]).rect(10,12).finalize()"
    ".revolve(70,(5,0,0),(5,1,0))",
    f"{PLANE}.workplane(offset=3).rarray(20,15,3,2).eachpoint(cq.Workplane('XY').box(9,6,4),True,'a')",
    f"{PLANE}.polarArray(20,10,360,5).eachpoint(cq.Workplane('YZ',origin=(1,0,2)).sketch().circle(3).finalize().extrude(4),True,'a')",
    f"cq.Workplane('XY').rarray(25,30,3,2).eachpoint({PLANE}.box(9,6,4),True,'a')",
    f"cq.Workplane('YZ',origin=(0,3,4)).polarArray(20,0,360,5).eachpoint({PLANE}.box(9,6,4),True,'a')",
    "cq.Workplane('XZ',origin=(4,5,6)).polarArray(20,10,120,3).eachpoint(cq.Workplane('XY').box(9,6,4),True,'a')",
    f"{PLANE}.box(9,6,4).mirror('YZ',(20,0,0),union=True)",
    f"{PLANE}.box(30,30,9).copyWorkplane(cq.Workplane('YX',origin=(1,2,-30))).hole(4,70)",
)


def program_of(text: str) -> Program:
    found = parse(text)
    assert isinstance(found, Program), found
    return found


def chain(text: str):
    return program_of(f"import cadquery as cq\nr={text}").steps[0].body


def run(text: str):
    names = {"cq": cq}
    exec(text, names)  # text of our own
    return names.get("r", names.get("result")).val()


def same_solid(program: Program, shape) -> bool:
    """Whether a shape of the kernel fills space as the program does: corners, box, volume, centre."""
    corners = np.array([vertex.toTuple() for vertex in shape.tessellate(0.05, 0.1)[0]])
    box, (low, high) = shape.BoundingBox(1e-3), bounds(program)
    points = low + (high - low) * np.random.default_rng(0).random((160000, 3))
    inside = occupancy(program, points)
    return bool(
        np.abs(signed_distance(program, corners)).max() < 1e-4
        and (low < np.array([box.xmin, box.ymin, box.zmin]) + 0.05).all()
        and (high > np.array([box.xmax, box.ymax, box.zmax]) - 0.05).all()
        and abs(inside.mean() * np.prod(high - low) / shape.Volume() - 1) < 0.05
        and np.abs(points[inside].mean(axis=0) - np.array(shape.Center().toTuple())).max() < 0.4
    )


@pytest.mark.parametrize("text", CHAINS)
def test_any_plane_is_read_as_the_kernel_makes_it(text):
    program = program_of(f"import cadquery as cq\nr={text}")
    assert same_solid(program, run(f"r={text}"))
    assert same_solid(program, run(compact(program)))
    assert same_solid(program, run(readable(program)))
    assert compact(parse(compact(program))) == compact(program)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_named_planes_give_plain_features(name):
    text = f"cq.Workplane('{name}',origin=(4,5,6)).workplane(offset=2){SKETCH}.extrude(5)"
    program = program_of(f"import cadquery as cq\nr={text}")
    assert program.steps[0].body.kind == "extrude"
    assert same_solid(program, run(f"r={text}"))


def test_a_plane_may_have_a_name():
    text = "p=cq.Plane(origin=(0,0,1),xDir=(1,0,0),normal=(0,0.6,0.8))\nw=cq.Workplane(p)\nr=w.box(4,4,4)"
    assert same_solid(program_of(f"import cadquery as cq\n{text}"), run(text))


@pytest.mark.parametrize(
    "plane",
    [
        "cq.Plane(origin=(0,0,0),xDir=(1,0,1),normal=(0,0,1))",
        "cq.Plane(origin=(0,0,0),xDir=(0,0,0),normal=(0,0,1))",
        "cq.Plane(origin=(0,0),xDir=(1,0,0),normal=(0,0,1))",
        "cq.Plane(origin=(0,0,0),normal=(0,0,0))",
        "'QQ'",
    ],
)
def test_planes_that_are_none_are_refused(plane):
    assert isinstance(parse(f"import cadquery as cq\nr=cq.Workplane({plane}).box(1,1,1)"), Rejected)


def test_a_round_angle_about_one_axis_is_written_as_that():
    body = chain("cq.Workplane('YZ',origin=(1,2,3)).transformed(rotate=(0,0,-12.345)).box(3,4,5)")
    assert body.calls(str)[0] == "Workplane('YZ',origin=(1.0,2.0,3.0)).transformed(rotate=(0,0,-12.345))"
    other = chain("cq.Workplane('XZ').transformed(rotate=(0,5,0)).box(3,4,5)")
    assert other.calls(str)[0] == "Workplane('XZ').transformed(rotate=(0,5,0))"
    assert chain(f"{PLANE}.box(3,4,5)").calls(str)[0].startswith("Workplane(cq.Plane(origin=")


def test_faces_look_where_they_should():
    shape = run(f"r={PLANE}.box(20,10,4)")
    normals = np.array([face.normalAt().toTuple() for face in shape.Faces()])
    directions = chain(f"{PLANE}.box(20,10,4)").place.rotation.T
    assert np.allclose(np.sort(np.abs(normals @ directions.T).max(axis=1)), 1)
    assert shape.Volume() == pytest.approx(800)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_turns_and_mirror_images_of_the_cube(symmetry):
    body = tilted(BRICK, Placement.of((1.0, 2.0, 3.0), rotation_of((10.0, 20.0, 30.0))))
    by = Similarity(symmetry.axes, symmetry.signs, 2.0, (5.0, 6.0, 7.0))
    image, points = body.moved(by), np.random.default_rng(0).uniform(-40, 40, (200, 3))
    assert np.allclose(image.distance(by.apply(points)), 2 * body.distance(points))
    assert image.place == image.place.rounded() and parse(compact(_alone(image))).steps[0].body.place.x == image.place.x


def _alone(body) -> Program:
    return Program((Step("union", body),))


def test_what_its_own_type_can_say_is_not_tilted():
    square = tilted(BRICK, Placement.of((1.0, 2.0, 3.0), rotation_of((90.0, 0.0, 180.0))))
    assert square.kind == "extrude"
    turned = chain(
        "cq.Workplane('XY').transformed(rotate=(0,33,0)).sketch().push([(20,0)]).circle(5).finalize().revolve(90,(0,0,0),(0,1,0))"
    )
    assert turned.kind == "revolve" and turned.start == 33.0


def test_a_body_on_any_plane_is_brought_to_the_one_form():
    on_yz = BRICK.moved(Similarity((1, 2, 0)))
    found, points = tilted(on_yz, PLACE), np.random.default_rng(0).uniform(-40, 40, (200, 3))
    assert on_yz.plane == "YZ" and found.body.plane == "XY"
    assert np.allclose(found.distance(points), on_yz.distance(PLACE.local(points)), atol=1e-6)
    assert parse(compact(_alone(found))) == _alone(found)
    with pytest.raises(ValueError, match="is on XY"):
        compact(_alone(Tilted(on_yz, PLACE)))


@pytest.mark.parametrize(
    "body", [Hole("XY", 0.0, ((0.0, 0.0),), 4.0, 9.0), Mirrored(BRICK, "YZ", 9.0), tilted(BRICK, PLACE)]
)
def test_features_that_texts_have_along_the_axes_only_are_refused(body):
    with pytest.raises(ValueError):
        compact(_alone(Tilted(body, PLACE)))


@settings(deadline=None)
@given(st.tuples(NUMBER, NUMBER, NUMBER))
def test_angles_and_back(angles):
    rotation = rotation_of(angles)
    assert np.allclose(rotation_of(angles_of(rotation)), rotation, atol=1e-12)
    plane = cq.Plane.XY().rotated(angles)
    assert np.allclose(rotation[:, 0], plane.xDir.toTuple()) and np.allclose(rotation[:, 2], plane.zDir.toTuple())


@pytest.mark.parametrize("middle", [90.0, -90.0, 89.9999999])
def test_angles_at_the_pole(middle):
    rotation = rotation_of((20.0, middle, 50.0))
    assert np.allclose(rotation_of(angles_of(rotation)), rotation, atol=1e-9)


def test_bounds_are_those_of_the_solid():
    text = f"{PLANE}.sketch().circle(20).finalize().extrude(5)"
    box = run(f"r={text}").BoundingBox(1e-3)
    found = chain(text).bounds()
    assert np.allclose(found, [[box.xmin, box.ymin, box.zmin], [box.xmax, box.ymax, box.zmax]], atol=0.01)


def test_sizes_in_a_plane_of_its_own_have_names():
    text = (
        "import cadquery as cq\nr=cq.Workplane('XY').box(100,60,10)"
        ".union(cq.Workplane('XY',origin=(20,0,5)).transformed(rotate=(0,30,0)).sketch().rect(30,20).finalize().extrude(9))"
    )
    program = program_of(text)
    written = readable(
        program.__class__(tuple(Step(s.operation, s.body.moved(Similarity(shift=(7.5, 0, 0)))) for s in program.steps))
    )
    assert 'cq.Workplane("XY", origin=(27.5, 0, 5)).transformed(rotate=(0, 30, 0))' in written
    assert "boss_height = 9" in written and ".extrude(boss_height)" in written
    assert same_solid(program_of(written), run(written))


def test_angles_and_sizes_become_round():
    place = Placement.of((0.0, 0.0, 0.0), rotation_of((0.0, 29.9985, 0.0)))
    body = tilted(Extrude("XY", 0.0, 40.0003, (Face(Circle((0.0, 0.0), 20.0)),)), place)
    (step,) = round_numbers(_alone(body)).steps
    assert step.body.body.height == pytest.approx(40.0) and step.body.body.faces[0].outline.radius == pytest.approx(20)
    assert step.body.calls(str)[0] == "Workplane('XY').transformed(rotate=(0,30,0))"


def test_the_search_turns_the_plane():
    body = tilted(BRICK, Placement.of((0.0, 0.0, 0.0), rotation_of((0.0, 29.0, 0.0))))
    parameters = Parameters(_alone(body))
    values = parameters.values.copy()
    values[[slot.kind for slot in parameters.slots].index("angle") + 1] += 1.0
    assert parameters.body(0, values) == tilted(BRICK, Placement.of((0.0, 0.0, 0.0), rotation_of((0.0, 30.0, 0.0))))
