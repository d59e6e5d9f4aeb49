"""Reader of 3MF: meshes of the build items, where items and components place them, in the unit of the model."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.scene import MOST_COPIES, MOST_MESHES, MOST_NODES, Part, Said, check_count, check_size, join
from cadcode.geometry.io.threemf_model import Model, Object, Reference, read_model
from cadcode.geometry.io.threemf_package import Package, Settings, open_archive, part_name, read_settings, root_model
from cadcode.units import MILLIMETRES

NOT_PRINTED = {"support": "support object", "solidsupport": "support object", "other": "object of type 'other'"}

MOST_PARTS = 2_000  # model files of a package

Key = tuple[str, str]  # part and object number


@dataclass(frozen=True, eq=False)
class Build:
    """Objects that the build uses, parents before children, and for each what it places: [(child, transform (4, 4))].

    `items` are those of the build itself. `left_out` are the kinds of objects that are no part of the shape.
    """

    order: list[Key]
    children: dict[Key, list]
    items: list
    left_out: dict[Key, str]


@dataclass(eq=False)
class Models:
    """Model parts of a package, each read when it is first used."""

    package: Package
    root: str
    settings: Settings
    known: dict[str, Model] = field(default_factory=dict)

    def model(self, part: str) -> Model:
        if part not in self.known:
            check_count(len(self.known) + 1, MOST_PARTS, "model parts")
            self.known[part] = read_model(self.package, part)
            check_count(sum(model.size for model in self.known.values()), MOST_NODES, "objects")
        return self.known[part]

    def object(self, key: Key) -> Object:
        objects = self.model(key[0]).objects
        if key[1] not in objects:
            raise Refused(f"it refers to object {key[1][:40]}, which it does not hold")
        return objects[key[1]]


def read_3mf(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Every object of the build, joined, without supports and volumes that are for the slicer alone.

    Refused for damage, for what unpacks to more than any real part, and for required extensions that are not read.
    """
    with open_archive(path) as archive:
        package = Package(archive, path.stat().st_size)
        models = Models(package, root_model(package), read_settings(package))
        items, said = build_items(models)
        build = build_tree(models, items)
    return placed_build(models, build, said, path.stat().st_size)


def build_items(models: Models) -> tuple[list[Reference], Said]:
    """(the items to be printed, what was left out); an empty build means all objects that no other places."""
    model = models.model(models.root)
    items = [item for item in model.items if item.printable] or model.items
    if items:
        hidden = len(model.items) - len(items)
        text = f"left out {count_of(hidden, 'object')} that the file sets not to be printed"
        return items, Said().warn(text) if hidden else Said()
    placed = {component.object for object in model.objects.values() for component in object.components}
    items = [Reference(id, None, ()) for id in model.objects if id not in placed]
    return items, Said().warn("its build is empty, so all its objects were read")


def build_tree(models: Models, items: list[Reference]) -> Build:
    """Follow items and components; Refused where an object places itself."""
    left_out, children = {}, {}
    top = targets(models, models.root, None, items, left_out)
    done, open_, todo = [], set(), [(key, False) for key, _ in reversed(top)]
    while todo:
        key, finished = todo.pop()
        if finished:
            open_.discard(key)
            done.append(key)
        elif key in open_:
            raise Refused(f"object {key[1][:40]} is a component of itself")
        elif key not in children:
            open_.add(key)
            children[key] = targets(models, key[0], key[1], models.object(key).components, left_out)
            check_count(len(children), MOST_MESHES, "different objects")
            todo.append((key, True))
            todo += [(child, False) for child, _ in reversed(children[key])]
    return Build(done[::-1], children, top, left_out)


def targets(models: Models, part: str, parent: str | None, references: list[Reference], left_out: dict) -> list:
    """[(object, transform (4, 4))] of those `references` that are parts of the shape; others go to `left_out`."""
    kept = []
    for reference in references:
        key = (part if reference.part is None else part_name(reference.part), reference.object)
        kind = models.settings.components.get((parent, key[1])) if part == models.root else None
        kind = kind or NOT_PRINTED.get(models.object(key).type)
        if kind:
            left_out[key] = kind
        else:
            kept.append((key, matrix_of(reference, unit_ratio(models, part, key[0]))))
    return kept


def unit_ratio(models: Models, part: str, other: str) -> float:
    """Units of `part` in one unit of the `other` part."""
    if part == other:
        return 1.0
    return MILLIMETRES[models.model(other).unit] / MILLIMETRES[models.model(part).unit]


def matrix_of(reference: Reference, scale: float):
    """Transform (4, 4) of column vectors; the file has rows m00 m01 m02 ... m32 for row vectors."""
    matrix = np.eye(4)
    if reference.transform:
        matrix[:3] = np.reshape(reference.transform, (4, 3)).T
    matrix[:3, :3] *= scale
    return matrix


def count_places(build: Build) -> Counter:
    """Number of placements of each object, counted before any copy is made; Refused where there are too many."""
    times = Counter(key for key, _ in build.items)
    for key in build.order:
        for child, _ in build.children[key]:
            times[child] = min(times[child] + times[key], MOST_COPIES + 1)
    check_count(sum(times.values()), MOST_COPIES, "copies of objects")
    return times


def place(build: Build) -> dict[Key, np.ndarray]:
    """Transforms (T, 4, 4) into the build of each object."""
    waiting = {key: [] for key in build.order}
    for key, matrix in build.items:
        waiting[key].append(matrix[None])
    placed = {}
    with np.errstate(all="ignore"):
        for key in build.order:
            placed[key] = np.concatenate(waiting.pop(key))
            for child, matrix in build.children[key]:
                waiting[child].append(placed[key] @ matrix)
    return placed


def placed_build(models: Models, build: Build, said: Said, file_size: int) -> Raw:
    times, kinds = count_places(build), Counter(build.left_out.values())
    meshes = {key: own_mesh(models, key, kinds) for key in build.order}
    solid = {key: meshes[key] for key in build.children if len(meshes[key][1])}  # in the order of the file
    check_size(*(sum(len(mesh[i]) * times[key] for key, mesh in solid.items()) for i in (1, 0)), file_size)
    said = said.warn(*(f"left out {count_of(count, kind)}" for kind, count in sorted(kinds.items())))
    said = unused_objects(models, build, said)
    if not solid:
        raise Refused("holds no mesh" + "".join(f"; {warning}" for warning in said.warnings))
    said = said.note(*build_notes(models, build, solid, times))
    placed = place(build)
    unit = models.model(models.root).unit
    return join([Part(*mesh, placed[key]) for key, mesh in solid.items()], said, unit)


def own_mesh(models: Models, key: Key, kinds: Counter):
    """(vertices, faces) of an object without triangles that are for the slicer alone, which are added to `kinds`."""
    object = models.object(key)
    vertices, faces = object.mesh()
    if object.other and not len(faces) and not object.components:
        raise Refused(f"object {object.id[:40]} is a {object.other}, which is not read")
    runs = models.settings.triangles.get(object.id, []) if key[0] == models.root else []
    if runs and len(faces):
        kinds.update(kind for _, _, kind in runs)
        faces = faces[~in_runs(runs, len(faces))]
    return vertices, faces


def in_runs(runs: list[tuple[int, int, str]], count: int):
    """Whether each of `count` triangles is in one of the `runs` (first, last, kind). (count,) bool"""
    ends = [(min(max(first, 0), count), min(max(last + 1, 0), count)) for first, last, _ in runs if first <= last]
    begins, stops = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    steps = np.bincount(begins, minlength=count + 1) - np.bincount(stops, minlength=count + 1)
    return np.cumsum(steps)[:count] > 0


def unused_objects(models: Models, build: Build, said: Said) -> Said:
    """Notes of meshes outside the build."""
    used = build.children.keys() | build.left_out.keys()
    unused = sum(
        len(object.corners) > 0 and (part, id) not in used
        for part, model in models.known.items()
        for id, object in model.objects.items()
    )
    unread = len(set(models.package.models()) - models.known.keys())
    texts = (f"left out {count_of(unused, 'object')} outside the build",) if unused else ()
    texts += (f"left out {count_of(unread, 'model part')} outside the build",) if unread else ()
    return said.warn(*texts)


def build_notes(models: Models, build: Build, solid: dict, times: Counter) -> tuple[str, ...]:
    copies = sum(times[key] for key in solid)
    bare = sum(times[key] for key in build.order if key not in solid and not build.children[key])
    notes = (f"joined {copies} meshes of the scene",) if copies > 1 else ()
    notes += (f"ignored {count_of(bare, 'object')} of the scene without faces",) if bare else ()
    others = Counter(other for key in solid if (other := models.object(key).other))
    return notes + tuple(f"ignored the {other} of {count_of(count, 'object')}" for other, count in others.items())
