# Cover plate, 90 x 70 x 4 mm with rounded corners, four screw holes and a window; its lower face lies at z = 100.
import cadquery as cq

# parameters
half_length = 45
half_width = 35
thickness = 4
corner_radius = 8
screw_radius = 2.2
screw_x = 38
screw_y = 28
window_length = 40
window_width = 24
window_x = 8

flat_x = half_length - corner_radius
flat_y = half_width - corner_radius
arc_x = flat_x + 0.70710678 * corner_radius
arc_y = flat_y + 0.70710678 * corner_radius

# plate: four straight sides and four arcs
plate = (
    cq.Workplane("XY")
    .workplane(offset=100)
    .sketch()
    .segment((-flat_x, -half_width), (flat_x, -half_width))
    .arc((arc_x, -arc_y), (half_length, -flat_y))
    .segment((half_length, flat_y))
    .arc((arc_x, arc_y), (flat_x, half_width))
    .segment((-flat_x, half_width))
    .arc((-arc_x, arc_y), (-half_length, flat_y))
    .segment((-half_length, -flat_y))
    .arc((-arc_x, -arc_y), (-flat_x, -half_width))
    .assemble()
    .push([(-screw_x, -screw_y), (screw_x, -screw_y), (screw_x, screw_y), (-screw_x, screw_y)])
    .circle(screw_radius, mode="s")
    .reset()
    .push([(window_x, 0)])
    .rect(window_length, window_width, mode="s")
    .finalize()
    .extrude(thickness)
)

result = plate
