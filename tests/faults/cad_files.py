"""CAD files as other programs write them: each function writes one into a folder and returns its path."""

from collections.abc import Callable
from pathlib import Path

SIZE = (10, 20, 30)


def _step(folder: Path, shape, unit: str = "MM") -> Path:
    from OCP.Interface import Interface_Static
    from OCP.STEPControl import STEPControl_StepModelType, STEPControl_Writer

    path = folder / "part.step"
    writer = STEPControl_Writer()
    Interface_Static.SetCVal_s("write.step.unit", unit)
    writer.Transfer(shape.wrapped, STEPControl_StepModelType.STEPControl_AsIs)
    writer.Write(str(path))
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    return path


def _box(x=10, y=10, z=10, at=(0, 0, 0)):
    import cadquery

    return cadquery.Solid.makeBox(x, y, z, cadquery.Vector(*at))


def _compound(shapes):
    import cadquery

    return cadquery.Compound.makeCompound(shapes)


def touching(folder: Path) -> Path:
    return _step(folder, _compound([_box(), _box(at=(10, 0, 0))]))


def assembly(folder: Path) -> Path:
    """A part in two places and another between them."""
    part = _box()
    return _step(folder, _compound([part, _box(5, 10, 10, (20, 0, 0)), part.translate((40, 0, 0))]))


def solid_and_sheet(folder: Path) -> Path:
    return _step(folder, _compound([_box(), _box(at=(30, 0, 0)).Faces()[0]]))


def unsewn(folder: Path) -> Path:
    return _step(folder, _compound([face.copy() for face in _box(*SIZE).Faces()]))


def open_shell(folder: Path) -> Path:
    import cadquery

    return _step(folder, cadquery.Shell.makeShell(_box(*SIZE).Faces()[:5]))


def one_face(folder: Path) -> Path:
    return _step(folder, _box(*SIZE).Faces()[0])


def curves(folder: Path) -> Path:
    return _step(folder, _compound(_box(*SIZE).Edges()))


def in_unit(unit: str) -> Callable[[Path], Path]:
    return lambda folder: _step(folder, _box(*SIZE), unit)


def iges_in_inches(folder: Path) -> Path:
    from OCP.IGESControl import IGESControl_Writer

    path = folder / "part.igs"
    writer = IGESControl_Writer("IN", 0)
    writer.AddShape(_box(*SIZE).wrapped)
    writer.Write(str(path))
    return path
