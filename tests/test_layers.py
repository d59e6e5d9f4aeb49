"""Who may import whom: nothing points up, nothing goes round, and heavy libraries stay where they are used."""

import ast
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import cadcode

ROOT = Path(cadcode.__file__).parent
GROUND = ("errors", "units", "interpreter")
MIDDLE = ("search", "surfaces", "model", "sandbox", "program", "geometry", *GROUND)

# A package or module of `cadcode` (or a pattern of their names) -> the others that it may import.
MAY_IMPORT = {
    "errors": (),
    "units": (),
    "interpreter": (),
    "files": (),
    "geometry": GROUND,
    "program": ("errors", "units"),
    "sandbox": GROUND,
    "model": ("program", "files", "errors", "units"),
    "surfaces": ("geometry", "errors", "units"),
    "search": ("surfaces", "program", "geometry", "errors", "units"),
    "data": ("program", "errors", "units"),
    "train": ("data", "model", "program", "files", "errors", "units"),
    "reconstruction": MIDDLE,
    "report": ("program", "geometry", "files", "errors", "units"),
    "batch": ("reconstruction", "report", *MIDDLE),
    "bench": ("reconstruction", "data", *MIDDLE),
    "cli": ("*",),
    "__main__": ("cli",),
}

# A library -> the only modules that may import it.
ONLY_IN = {
    "cadquery": ("sandbox.worker",),
    "OCP": ("sandbox.worker",),
    "transformers": ("model.hf.*", "bench.speed.writing"),
    "tokenizers": ("model.tokenizers.*",),
    "safetensors": ("model.checkpoints.*",),
    "huggingface_hub": ("model.checkpoints.hub",),
    "trimesh": ("geometry.*", "report.*"),
    "manifold3d": ("geometry.*",),
    "DracoPy": ("geometry.io.gltf_meshes",),
    "laspy": ("geometry.io.scans",),
    "pye57": ("geometry.io.scans",),
    "scipy": ("geometry.*", "search.*", "surfaces.*"),
    "torch": ("model.*", "train.*", "reconstruction.*", "bench.*", "cli.*"),
    "ray": ("batch.ray_pool",),
    "flash_attn": ("model.nets.attention",),
    "PIL": ("geometry.views",),
    "typer": ("cli.*",),
    "rich": ("cli.*", "report.*"),
}

# A package or module -> the libraries that it may need, itself or through what it imports, also inside functions.
NEEDS_AT_MOST = {
    "data": {"numpy"},
    "program": {"numpy"},
    "surfaces": {"numpy", "scipy"},
    "train": {"numpy", "torch", "safetensors", "tokenizers", "huggingface_hub", "flash_attn"},  # the last two if asked
    "model.nets.small": {"numpy", "torch"},
    "model.generate": {"numpy", "torch"},
    "sandbox.sandbox": {"numpy"},
    "cli.options": {"typer"},
}


def name_of(path: Path) -> str:
    """`geometry/io.py` is `geometry.io`, `geometry/__init__.py` is `geometry`, cadcode's own is the empty name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """Full names of all that a module imports, wherever in it, with `from a import b` as `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(full: str) -> str | None:
    """The module of ours that a full name lies in, None for another's."""
    if full.split(".")[0] != "cadcode":
        return None
    parts = full.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


IMPORTS = {name: imported(path) for name, path in MODULES.items()}
GRAPH = {name: {own(full) for full in names} - {None, name} for name, names in IMPORTS.items()}
LIBRARIES = {
    name: {full.split(".")[0] for full in names} - {"cadcode"} - sys.stdlib_module_names
    for name, names in IMPORTS.items()
}


def unit(module: str) -> str:
    return module.split(".")[0]


def rule(module: str) -> tuple[str, ...] | None:
    return next((may for pattern, may in MAY_IMPORT.items() if fnmatch(unit(module), pattern)), None)


def matches(name: str, patterns) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def reached(module: str) -> set[str]:
    """A module, what it imports, what that imports, and the packages they lie in (their `__init__` runs too)."""
    found, todo = set(), [module]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += [*GRAPH[one], *({unit(one)} & GRAPH.keys())]
    return found


def test_the_reader_of_imports_reads_imports():
    assert len(MODULES) > 40 and {"geometry.io.load", "program", "", "sandbox.worker"} <= set(MODULES)
    assert {"program.tokens", "data.shapes"} <= GRAPH["data.dataset"]
    assert {"program.field", "program.feature"} <= GRAPH["program.surface"]  # from cadcode.program import field
    assert "cadquery" in LIBRARIES["sandbox.worker"] and "torch" in LIBRARIES["model.nets.small"]
    assert {"errors", "program.tree"} <= reached("reconstruction.run")


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_down(module):
    may = rule(module)
    assert may is not None, f"cadcode.{module} has no place in MAY_IMPORT: give it one"
    others = {unit(other) for other in GRAPH[module] if other} - {unit(module)}
    wrong = sorted(other for other in others if not matches(other, may))
    assert wrong == [], f"cadcode.{module} may not import {wrong}"


def test_no_import_goes_round():
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for other in sorted(GRAPH[module] - {""}):
                visit(other)
            done.add(path.pop())

    for module in MODULES:
        visit(module)
    assert done == set(MODULES)


def test_the_map_itself_points_down():
    """What a unit may import may not import it back."""
    for name, may in MAY_IMPORT.items():
        for other in may:
            assert name not in MAY_IMPORT.get(other, ()), f"{name} and {other} may import each other"


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_where_they_are_used(library):
    users = [module for module, libraries in LIBRARIES.items() if library in libraries]
    assert [module for module in users if not matches(module, ONLY_IN[library])] == []


@pytest.mark.parametrize("part", NEEDS_AT_MOST)
def test_parts_need_few_libraries(part):
    modules = [module for module in MODULES if module == part or module.startswith(part + ".")]
    assert modules
    needed = {library: module for start in modules for module in reached(start) for library in LIBRARIES[module]}
    extra = {library: module for library, module in needed.items() if library not in NEEDS_AT_MOST[part]}
    assert extra == {}
