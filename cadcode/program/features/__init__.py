"""Feature types, one module each.

`FEATURES` holds the classes of all modules here by their `kind`. Kinds are never renamed or reused: programs, token
vocabularies and checkpoints name them.

A new type is a new module with one frozen dataclass: `kind`, the answers of `Feature` that `Solid` does not give, and
the CadQuery methods that make it (`parsers`). A strategy in `tests/program/strategies.py` puts it under the conformance
test. Until it has a drawing (`text/drawing.py`), readable programs write it in plain numbers; until the token
vocabulary has productions for it (`in_vocabulary`), networks do not write it. A type that CadQuery has no solid for,
only calls on the solid so far (`applied`), is a tool (`is_tool`): programs cut it, and `parsers` names its calls on a
`SolidPlane`. A type whose calls need the world's axes is not `on_any_plane`: `Tilted` refuses it.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from cadcode.program.feature import Feature


def _discovered() -> dict[str, type[Feature]]:
    """Kind -> class, of the modules of this package in alphabetical order."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    types = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    own = [value for value in types if value.__module__.startswith(f"{__name__}.") and hasattr(value, "kind")]
    return {value.kind: value for value in own}


FEATURES = MappingProxyType(_discovered())
