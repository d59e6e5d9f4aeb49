"""What a mesh encloses, and how much two meshes share: exact where a mesh is closed, estimated where it is not.

The ladder: merged vertices -> a manifold solid; faces turned the same way and small holes filled -> a manifold solid;
winding numbers at points spread over the box. Which rung was used is part of every answer.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np

from cadcode.geometry.closing import merged, repaired
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers

BOOLEAN, REPAIRED, WINDING = "boolean", "repaired boolean", "winding number"
METHODS = (BOOLEAN, REPAIRED, WINDING)  # from exact to estimated

MAX_UNCLEAR = 0.1  # share of the inside where the winding number may be far from a whole number
SAME = 1e-6  # relative difference of areas that is rounding
THINNEST = 1e-9  # volume (in cubed longest sides) below which a mesh encloses nothing


@dataclass(frozen=True)
class NoVolume:
    """Why a shape encloses nothing that could be compared."""

    reason: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Points spread evenly over a mesh's box, with the winding number of the mesh around each."""

    points: np.ndarray  # (N, 3)
    winding: np.ndarray  # (N,), the sign dropped: a mesh turned inside out is forgiven
    box_volume: float

    @property
    def inside(self) -> np.ndarray:  # (N,) bool
        return self.winding > 0.5

    @property
    def volume(self) -> float:
        return self.box_volume * float(self.inside.mean())


@dataclass(frozen=True, eq=False)
class Volume:
    """A measured volume: with a solid where the mesh is closed, with samples where it is not."""

    method: str
    size: float  # cubic units of the mesh
    triangles: np.ndarray  # (F, 3, 3)
    solid: manifold3d.Manifold | None = None
    samples: Samples | None = None


def measure_volume(vertices: np.ndarray, faces: np.ndarray | None, points: int, seed: int) -> Volume | NoVolume:
    """The volume of a mesh: vertices (V, 3), faces (F, 3); `points` and `seed` belong to the estimate of the last rung.

    Never raises for a strange mesh; overlapping bodies count once, cavities do not count, a mesh turned inside out is
    turned back.
    """
    if faces is None:
        return NoVolume("a point cloud has no volume")
    vertices, faces = merged(vertices, faces)
    if not len(faces):
        return NoVolume("the mesh has no faces")
    closed = _closed_volume(BOOLEAN, vertices, faces)
    if closed is None:
        mended = repaired(vertices, faces)
        closed = _closed_volume(REPAIRED, *mended) if mended is not None else None
    return closed if closed is not None else _estimated_volume(vertices[faces], points, seed)


def overlap(a: Volume, b: Volume) -> tuple[float, str]:
    """Intersection over union, 0..1, of two volumes measured in the same frame, and the method it was found by."""
    if a.solid is not None and b.solid is not None:
        method, common = max(a.method, b.method, key=METHODS.index), (a.solid ^ b.solid).volume()
    else:
        method, common = WINDING, _estimated_common(a, b)
    common = min(max(common, 0.0), a.size, b.size)
    return common / (a.size + b.size - common), method


def outer_surface(vertices: np.ndarray, faces: np.ndarray, volume: Volume | NoVolume) -> tuple[np.ndarray, np.ndarray]:
    """The mesh (V, 3), (F, 3) that `volume` was measured of, without faces that lie within it, as between bodies that
    touch; the same arrays where there are none.
    """
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    if isinstance(volume, NoVolume) or volume.solid is None or volume.solid.surface_area() > area * (1 - SAME):
        return vertices, faces
    mesh = volume.solid.to_mesh64()
    return np.array(mesh.vert_properties)[:, :3], np.array(mesh.tri_verts).astype(np.int64)


def _solid(vertices: np.ndarray, faces: np.ndarray) -> manifold3d.Manifold | None:
    """The region a closed mesh encloses, or None where it is not closed."""
    solid = manifold_of(vertices, faces)
    if solid is not None and solid.volume() < 0:
        solid = manifold_of(vertices, faces[:, ::-1])
    if solid is None:
        return None
    bodies = solid.decompose()
    return solid if len(bodies) < 2 else _united(bodies)


def manifold_of(vertices: np.ndarray, faces: np.ndarray) -> manifold3d.Manifold | None:
    """The solid of a mesh whose edges have a partner each, None where they have not or nothing is left of it."""
    mesh = manifold3d.Mesh64(np.ascontiguousarray(vertices), np.ascontiguousarray(faces, dtype=np.uint64))
    mesh.merge()
    solid = manifold3d.Manifold(mesh)
    return solid if solid.status() == manifold3d.Error.NoError and not solid.is_empty() else None


def _united(bodies: list[manifold3d.Manifold]) -> manifold3d.Manifold:
    """Unite closed shells: a shell turned inwards is a cavity of the smallest body around it, or a body turned over."""
    outer = sorted((body for body in bodies if body.volume() > 0), key=lambda body: body.volume())
    for shell in (body for body in bodies if body.volume() < 0):
        mesh = shell.to_mesh64()
        turned = manifold_of(np.array(mesh.vert_properties)[:, :3], np.array(mesh.tri_verts)[:, ::-1])
        if turned is None:
            continue
        around = next((i for i, body in enumerate(outer) if _boxed(turned, body)), None)
        if around is None:
            outer.append(turned)
        else:
            outer[around] -= turned
    return manifold3d.Manifold.batch_boolean(outer, manifold3d.OpType.Add)


def _boxed(inner: manifold3d.Manifold, outer: manifold3d.Manifold) -> bool:
    a, b = np.reshape(inner.bounding_box(), (2, 3)), np.reshape(outer.bounding_box(), (2, 3))
    return bool((a[0] >= b[0]).all() and (a[1] <= b[1]).all())


def _closed_volume(method: str, vertices: np.ndarray, faces: np.ndarray) -> Volume | None:
    """A volume the box can hold; more than that means a surface that runs through itself."""
    solid, extents = _solid(vertices, faces), np.ptp(vertices[faces], axis=(0, 1))
    if solid is None or not THINNEST * extents.max() ** 3 < solid.volume() <= np.prod(extents) * (1 + 1e-6):
        return None
    return Volume(method, solid.volume(), vertices[faces], solid=solid)


def _estimated_volume(triangles: np.ndarray, points: int, seed: int) -> Volume | NoVolume:
    """The last rung: believed only where inside and outside are clearly told apart (Jacobson et al. 2013)."""
    extents = np.ptp(triangles, axis=(0, 1))
    if extents.min() <= 1e-6 * extents.max():
        return NoVolume("the mesh is flat and encloses nothing")
    samples = _samples(triangles, points, seed)
    unclear = np.abs(samples.winding - np.round(samples.winding)) > 0.25
    if not samples.inside.any() or unclear.sum() > MAX_UNCLEAR * samples.inside.sum():
        return NoVolume("the mesh is an open surface: inside and outside cannot be told apart")
    return Volume(WINDING, samples.volume, triangles, samples=samples)


def _estimated_common(a: Volume, b: Volume) -> float:
    """The shared volume: how much of what is inside one is inside the other."""
    if a.samples is None:
        a, b = b, a
    inside = a.samples.points[a.samples.inside]
    return a.samples.volume * float(np.mean(np.abs(winding_numbers(triangle_tree(b.triangles), inside)) > 0.5))


def _samples(triangles: np.ndarray, count: int, seed: int) -> Samples:
    box = np.stack([triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))])
    points, _ = jittered_grid(box, count, np.random.default_rng(seed))
    return Samples(points, np.abs(winding_numbers(triangle_tree(triangles), points)), float(np.prod(box[1] - box[0])))


def jittered_grid(box: np.ndarray, count: int, rng: np.random.Generator, least: int = 1, most: int | None = None):
    """About `count` points in a box (2, 3), one at random in each cell of a grid: (nx * ny * nz, 3), and (nx, ny, nz).

    Along each axis the grid has at least `least` and at most `most` cells.
    """
    extent = box[1] - box[0]
    cell = (extent.prod() / count) ** (1 / 3)
    shape = np.clip(np.rint(extent / cell), least, most).astype(int)
    corners = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    return box[0] + (corners + rng.random(corners.shape)) * extent / shape, tuple(int(n) for n in shape)
