# Angle, 80 mm long, legs of 35 x 25 mm with a rounded edge, two holes in the long leg; its middle lies at x = 0.
import cadquery as cq

# parameters
length = 80
long_leg = 35
short_leg = 25
thickness = 4
edge_radius = 8
inner_radius = 4
hole_radius = 3.2
hole_distance = 50

# profile: an L with a rounded edge, the same wall thickness all along
profile = (
    cq.Workplane("YZ")
    .workplane(offset=-length / 2)
    .sketch()
    .segment((edge_radius, 0), (long_leg, 0))
    .segment((long_leg, thickness))
    .segment((edge_radius, thickness))
    .arc((edge_radius - 0.70710678 * inner_radius, edge_radius - 0.70710678 * inner_radius), (thickness, edge_radius))
    .segment((thickness, short_leg))
    .segment((0, short_leg))
    .segment((0, edge_radius))
    .arc((edge_radius - 0.70710678 * edge_radius, edge_radius - 0.70710678 * edge_radius), (edge_radius, 0))
    .assemble()
    .finalize()
    .extrude(length)
)

# holes: through the long leg
holes = (
    cq.Workplane("XY")
    .workplane(offset=-1)
    .sketch()
    .push([(-hole_distance / 2, 22), (hole_distance / 2, 22)])
    .circle(hole_radius)
    .finalize()
    .extrude(thickness + 2)
)

result = profile.cut(holes)
