"""What `cadcode doctor` looks at: is everything there that a part needs on its way from file to solid?"""

import importlib
import platform
from dataclasses import asdict, dataclass
from importlib import metadata

from cadcode import __version__
from cadcode.errors import CadcodeError
from cadcode.model.machine import cores, free_cores

ESSENTIAL = ("numpy", "scipy", "trimesh", "manifold3d", "safetensors", "torch")
INSTALLED = ("cadquery", "transformers")  # too slow to import for their version alone; the sandbox tries CadQuery
OPTIONAL = {"laspy": "LAS and LAZ clouds", "pye57": "E57 clouds"}
SCAN_ADVICE = 'pip install "cadcode[scan]"'


@dataclass(frozen=True)
class Finding:
    """One line of the report; a `problem` says what does not work and what to do."""

    name: str
    value: str
    problem: str | None = None

    def as_dict(self) -> dict:
        return asdict(self)


def examine() -> list[Finding]:
    """All findings; something essential is broken where one has a problem."""
    findings = [Finding("cadcode", __version__), Finding("python", platform.python_version())]
    findings += [Finding("system", platform.platform())]
    findings += [_imported(name) for name in ESSENTIAL] + [_installed(name) for name in INSTALLED]
    findings += [Finding("processors", f"{cores()}, {free_cores()} free: as many threads"), _sandbox()]
    if not any(finding.problem for finding in findings if finding.name in ESSENTIAL):
        findings += [
            Finding("devices", ", ".join(_devices())),
            Finding("bfloat16", _bfloat16()),
            Finding("C compiler", _compiler()),
            _weights(),
        ]
    return findings + [_extra(name, use) for name, use in OPTIONAL.items()]


def _imported(name: str) -> Finding:
    """A package that loads, not only one that is installed: broken native libraries show here."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        return Finding(name, "does not load", f"{said}; pip install --force-reinstall {name}")
    return Finding(name, _version(name) or "unknown version")


def _installed(name: str) -> Finding:
    version = _version(name)
    return Finding(name, version) if version else Finding(name, "missing", f"pip install {name}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _sandbox() -> Finding:
    from cadcode.sandbox.sandbox import Sandbox

    try:
        with Sandbox() as sandbox:
            return Finding("sandbox", sandbox.level())
    except CadcodeError as error:
        return Finding("sandbox", "does not start", str(error))


def _devices() -> list[str]:
    import torch

    cuda = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return [*cuda, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def _bfloat16() -> str:
    import torch

    from cadcode.model.checkpoints.weights import fast_bfloat16

    there = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    where = [device for device in there if fast_bfloat16(device)]
    return "fast on " + ", ".join(where) if where else "slow here"


def _compiler() -> str:
    from cadcode.model.engines.compiled import cache_folder
    from cadcode.model.engines.kernels import kernels

    if kernels() is None:
        return "none that works: models are slower on the CPU; install gcc or clang"
    folder = cache_folder()
    return f"works; what it made is kept in {folder}" if folder else "works, anew at every start: there is no home"


def _weights() -> Finding:
    from cadcode.model.checkpoints.load import EMBEDDED, load_model

    try:
        model = load_model()
    except CadcodeError as error:
        return Finding(EMBEDDED, "cannot be loaded", str(error))
    count = sum(weight.numel() for weight in model.network.parameters())
    return Finding(EMBEDDED, f"revision {model.revision}, {count / 1e6:.1f} M parameters, {model.spec.licence}")


def _extra(name: str, use: str) -> Finding:
    return Finding(name, _version(name) or f"not installed; for {use}: {SCAN_ADVICE}")
