"""Checks of `cadcode doctor`: libraries, sandbox, devices, compiler and weights."""

import importlib
import platform
from dataclasses import asdict, dataclass
from importlib import metadata

from cadcode import __version__
from cadcode.errors import CadcodeError
from cadcode.model.machine import cores, free_cores

ESSENTIAL = ("numpy", "scipy", "trimesh", "manifold3d", "safetensors", "torch")
INSTALLED = ("cadquery", "transformers")  # slow to import, so only the version is read; the sandbox tests CadQuery
OPTIONAL = {"laspy": "LAS and LAZ clouds", "pye57": "E57 clouds"}
SCAN_ADVICE = 'pip install "cadcode[scan]"'


@dataclass(frozen=True)
class Finding:
    """One line of the report; `problem` states the failure and the remedy."""

    name: str
    value: str
    problem: str | None = None

    def as_dict(self) -> dict:
        return asdict(self)


def examine() -> list[Finding]:
    """All findings; a finding with a problem means that an essential component is broken."""
    findings = [Finding("cadcode", __version__), Finding("python", platform.python_version())]
    findings += [Finding("system", platform.platform())]
    findings += [_imported(name) for name in ESSENTIAL] + [_installed(name) for name in INSTALLED]
    findings += [Finding("processors", f"{cores()}, {free_cores()} free (default number of threads)"), _sandbox()]
    if not any(finding.problem for finding in findings if finding.name in ESSENTIAL):
        findings += [
            Finding("devices", ", ".join(_devices())),
            Finding("bfloat16", _bfloat16()),
            Finding("C compiler", _compiler()),
            _weights(),
        ]
    return findings + [_extra(name, use) for name, use in OPTIONAL.items()]


def _imported(name: str) -> Finding:
    """Import a package, which also detects broken native libraries."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as error:
        message = " ".join(str(error).split())[:200]
        return Finding(name, "does not load", f"{message}; pip install --force-reinstall {name}")
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

    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    fast = [device for device in devices if fast_bfloat16(device)]
    return "fast on " + ", ".join(fast) if fast else "slow on this computer"


def _compiler() -> str:
    from cadcode.model.engines.compiled import cache_folder
    from cadcode.model.engines.kernels import kernels

    if kernels() is None:
        return "none works: models run slower on the CPU; install gcc or clang"
    folder = cache_folder()
    return f"works; cache in {folder}" if folder else "works; no home folder, so kernels are compiled at every start"


def _weights() -> Finding:
    from cadcode.model.checkpoints.load import EMBEDDED, load_model

    try:
        model = load_model()
    except CadcodeError as error:
        return Finding(EMBEDDED, "cannot be loaded", str(error))
    count = sum(weight.numel() for weight in model.network.parameters())
    return Finding(EMBEDDED, f"revision {model.revision}, {count / 1e6:.1f} M parameters, {model.spec.licence}")


def _extra(name: str, use: str) -> Finding:
    return Finding(name, _version(name) or f"not installed; {use} need it: {SCAN_ADVICE}")
