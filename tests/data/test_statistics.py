"""Measures of parts whose numbers are known, by the program and by a mesh of the same part."""

import numpy as np
import pytest
import trimesh

from cadcode.data.bodies import block, extrude, union
from cadcode.data.pieces import cells
from cadcode.data.statistics import POINTS, SurfaceSamples, genus, measures, sample_program, summary
from cadcode.geometry.shape import Shape
from cadcode.geometry.skin import curved_faces, sample_faces, through_holes
from cadcode.program.tree import Circle, Program, Rect


def program(*bodies):
    return Program(tuple(union(*bodies)))


def of_mesh(mesh):
    shape = Shape.from_arrays(mesh.vertices, mesh.faces)
    points, normals, faces = sample_faces(shape, POINTS, np.random.default_rng(0))
    return measures(SurfaceSamples(points, normals, curved_faces(shape)[faces], abs(mesh.volume), through_holes(shape)))


PLATE = program(extrude(Rect((0.0, 0.0), 200, 100), 0, 20, [Circle((x, 0.0), 15) for x in (-60.0, 60.0)]))
STEP = program(block(-100, 100, -50, 50, 0, 20), block(-100, -20, -30, 50, 20, 60))
TUBE = program(extrude(Circle((0.0, 0.0), 100), 0, 150, [Circle((0.0, 0.0), 60)]))


def found(part):
    return measures(sample_program(part, np.random.default_rng(0)))


def test_a_plate_with_two_holes():
    plate = found(PLATE)
    assert [plate["thinnest side"], plate["middle side"]] == pytest.approx([0.1, 0.5], abs=0.01)
    assert plate["planar faces"] == 6 and plate["holes"] == 2 and plate["one extrusion"] == 1
    assert plate["symmetry planes"] == 3 and plate["slanted area"] == 0
    curved = 2 * 2 * np.pi * 15 * 20
    whole = curved + 2 * (200 * 100 - 2 * np.pi * 15**2) + 2 * 20 * 300
    assert plate["curved area"] == pytest.approx(curved / whole, abs=0.015)
    assert plate["volume over box"] == pytest.approx(1 - 2 * np.pi * 15**2 / 20_000, abs=0.02)


def test_a_step_is_no_extrusion_and_has_no_mirror_image_of_itself():
    step = found(STEP)
    assert (step["one extrusion"], step["holes"], step["curved area"], step["no symmetry"]) == (0, 0, 0, 1)
    assert step["planar faces"] == 9  # 6 of the base, 5 of the block, of which two lie in planes of the base


def test_program_and_mesh_of_one_part_agree():
    mesh = trimesh.creation.annulus(r_min=60, r_max=100, height=150, sections=48)
    ours, theirs = found(TUBE), of_mesh(mesh)
    for name in theirs:
        assert ours[name] == pytest.approx(theirs[name], abs=0.03), name
    assert theirs["holes"] == 1 and theirs["planar faces"] == 2 and theirs["one extrusion"] == 1


def test_meshes_of_flat_faces_have_no_curved_ones():
    box = of_mesh(trimesh.creation.box(extents=(3, 2, 1)))
    assert box["planar faces"] == 6 and box["curved area"] == 0 and box["volume over box"] == pytest.approx(1)
    cone = of_mesh(trimesh.creation.cone(radius=1, height=2, sections=5))  # five sides that bend sharply
    assert cone["planar faces"] == 6 and cone["curved area"] == 0 and cone["slanted area"] > 0.5


def test_open_meshes_have_no_count_of_holes():
    box = trimesh.creation.box()
    box.update_faces(np.arange(len(box.faces)) > 1)
    assert of_mesh(box)["holes"] is None


@pytest.mark.parametrize(("part", "holes"), [(PLATE, 2), (STEP, 0), (TUBE, 1)])
def test_genus_counts_holes(part, holes):
    assert genus(cells(part, 3.0)[1]) == holes


def test_summary_leaves_out_what_is_not_known():
    rows = [dict(a=1.0, b=None), dict(a=3.0, b=5.0)]
    assert summary(rows) == {"a": (2.0, pytest.approx(1.2), 2.0, pytest.approx(2.8)), "b": (5.0, 5.0, 5.0, 5.0)}
