"""One fault from the field: a small file that a test writes, and what has to come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadcode.errors import InputError
from cadcode.geometry.cleaning import AS_IT_SAYS, ReadOptions
from cadcode.geometry.io.load import load_shape
from cadcode.geometry.shape import Shape
from cadcode.geometry.solidity import Volume, measure_volume

CLOSE = 1e-3  # relative


@dataclass(frozen=True)
class Fault:
    """`write(folder)` makes the file and returns its path; the other fields are the right result, None where not asked.

    `notes` are words that one of the shape's notes holds, each; `refused` are words of the reason of an InputError.
    """

    name: str
    write: Callable[[Path], Path]
    extents: tuple[float, float, float] | None = None
    volume: float | None = None
    closed: bool | None = None
    bodies: int | None = None
    points: int | None = None  # of a cloud
    unit: str | None = None
    notes: tuple[str, ...] = ()
    warned: bool | None = None  # whether a warning is printed
    refused: str | None = None
    options: ReadOptions = AS_IT_SAYS
    needs_kernel: bool = False

    def right(self) -> str:
        """The right result in words."""
        wanted = {name: getattr(self, name) for name in ("extents", "volume", "closed", "bodies", "points", "unit")}
        texts = [f"{name} {_shown(value)}" for name, value in wanted.items() if value is not None]
        texts += [f"note '{note}'" for note in self.notes]
        return f"refused: {self.refused}" if self.refused else ", ".join(texts)

    def read(self, folder: Path, cad_reader=None) -> Shape | InputError:
        """What comes of the file; every other exception is a failure of the test."""
        try:
            return load_shape(self.write(folder), cad_reader, self.options)
        except InputError as error:
            return error

    def shortfalls(self, got: Shape | InputError) -> list[str]:
        """Where it is not the right result, one line each."""
        if isinstance(got, InputError):
            right = self.refused is not None and self.refused in got.reason and "\n" not in str(got)
            return [] if right else [f"refused: {got.reason}"]
        if self.refused is not None:
            return ["read, not refused"]
        return [f"{name} {_shown(have)}" for name, have, want in self._compared(got) if not _same(have, want)] + [
            f"no note '{note}' in {got.notes}" for note in self.notes if not any(note in have for have in got.notes)
        ]

    def _compared(self, got: Shape):
        volume = None if got.is_cloud or self.volume is None else measure_volume(got.vertices, got.faces, 30_000, 0)
        have = dict(
            extents=tuple(got.extents.tolist()),
            volume=volume.size if isinstance(volume, Volume) else None,
            closed=got.watertight,
            points=len(got.vertices) if got.is_cloud else None,
            unit=got.unit,
            warned=bool(got.warnings),
        )
        if self.bodies is not None:
            have["bodies"] = got.bodies
        return [(name, value, getattr(self, name)) for name, value in have.items() if getattr(self, name) is not None]


def _same(have, want) -> bool:
    if have is None or isinstance(want, str | bool):
        return have == want
    return bool(np.allclose(have, want, rtol=CLOSE, atol=0))


def _shown(value) -> str:
    if isinstance(value, tuple):
        return " x ".join(map(_shown, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)
