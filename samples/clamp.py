# Pipe clamp, 30 mm: a ring with two ears, a slit and a screw hole through both ears. The pipe's axis is z, at (5, 5).
import cadquery as cq

# parameters
axis_x = 5
axis_y = 5
ring_radius = 9
pipe_radius = 6
height = 10
ear_length = 21
ear_width = 10
slit = 2
screw_radius = 1.6
screw_x = 21.5

# ring and ears: drawn together
body = (
    cq.Workplane("XY")
    .sketch()
    .push([(axis_x, axis_y)])
    .circle(ring_radius)
    .push([(axis_x + ear_length / 2, axis_y)])
    .rect(ear_length, ear_width)
    .finalize()
    .extrude(height)
)

# pipe and slit: taken away through the whole height
opening = (
    cq.Workplane("XY")
    .workplane(offset=-1)
    .sketch()
    .push([(axis_x, axis_y)])
    .circle(pipe_radius)
    .push([(axis_x + ear_length / 2, axis_y)])
    .rect(ear_length + 2, slit)
    .finalize()
    .extrude(height + 2)
)

# screw: across the ears
screw = (
    cq.Workplane("ZX")
    .workplane(offset=axis_y - ear_width)
    .sketch()
    .push([(height / 2, screw_x)])
    .circle(screw_radius)
    .finalize()
    .extrude(2 * ear_width)
)

result = body.cut(opening).cut(screw)
