"""cadcode: a mesh or point cloud becomes an editable CadQuery program.

The names below load their modules when they are first used: `import cadcode` alone imports neither torch nor trimesh.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "CadcodeError": "cadcode.errors",
    "Options": "cadcode.reconstruction.options",
    "Result": "cadcode.reconstruction.result",
    "Sandbox": "cadcode.sandbox.sandbox",
    "Shape": "cadcode.geometry.shape",
    "evaluate_program": "cadcode.bench.evaluate",
    "load_model": "cadcode.model.checkpoints.load",
    "load_shape": "cadcode.geometry.io.load",
    "parse": "cadcode.program.parse",
    "readable": "cadcode.program.text.readable",
    "reconstruct": "cadcode.reconstruction.run",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cadcode' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
