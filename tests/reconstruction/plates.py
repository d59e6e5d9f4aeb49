"""Plates with a hole: the part that is reconstructed, texts near and far from it, and fast options."""

from cadcode.geometry.metrics import MetricOptions
from cadcode.geometry.sampling import SamplingOptions
from cadcode.model.generate import DecodeOptions
from cadcode.program.text.compact import compact
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.reconstruction.options import Options
from cadcode.search.search import SearchOptions

SCALE, SHIFT = 0.37, (12.0, -40.0, 7.0)  # world = scale * program + shift


def plate(radius=30.0, height=40.0, width=120.0):
    faces = (Face(Rect((0.0, 0.0), 200.0, width)), Face(Circle((50.0, 10.0), radius), subtract=True))
    return Program((Step("union", Extrude("XY", -height / 2, height, faces)),))


TRUE, NEAR, FAR = compact(plate()), compact(plate(radius=20.0)), compact(plate(radius=5.0, height=90.0))
ALL = Extrude("XY", -90.0, 180.0, (Face(Rect((0.0, 0.0), 200.0, 200.0)),))
EMPTY = compact(Program((*plate().steps, Step("cut", ALL))))
GARBAGE = "import cadquery as cq\nr=cq.Workplane('XY').text('x',5,1)"
FAST = Options(
    sampling=SamplingOptions(surface_points=1024),
    metrics=MetricOptions(points=1024),
    decoding=DecodeOptions("sample", candidates=24, max_new_tokens=4),
    search=SearchOptions(points=512, refine=False),
    views=1,
    export=(),
)
