# Gearbox housing, 360 x 240 x 150 mm: an open box on a flange with six holes, a shaft bore through both ends.
import cadquery as cq

# parameters
length = 300
width = 180
height = 150
wall = 10
flange_length = 360
flange_width = 240
flange_thickness = 14
bolt_radius = 7
bolt_x = 165
bolt_y = 105
bore_radius = 36
bore_z = 85
ring_radius = 50
ring_depth = 12

# flange: at z = 0, centred
flange = (
    cq.Workplane("XY")
    .sketch()
    .rect(flange_length, flange_width)
    .push([(-bolt_x, -bolt_y), (0, -bolt_y), (bolt_x, -bolt_y), (-bolt_x, bolt_y), (0, bolt_y), (bolt_x, bolt_y)])
    .circle(bolt_radius, mode="s")
    .finalize()
    .extrude(flange_thickness)
)

# block: the outside of the box
block = cq.Workplane("XY").sketch().rect(length, width).finalize().extrude(height)

# rings: around the bores, on both ends
ring = (
    cq.Workplane("YZ")
    .workplane(offset=-length / 2 - ring_depth)
    .sketch()
    .push([(0, bore_z)])
    .circle(ring_radius)
    .finalize()
    .extrude(length + 2 * ring_depth)
)

# inside: open at the bottom
inside = (
    cq.Workplane("XY")
    .workplane(offset=-1)
    .sketch()
    .rect(length - 2 * wall, width - 2 * wall)
    .finalize()
    .extrude(height - wall + 1)
)

# bore: for the shaft
bore = (
    cq.Workplane("YZ")
    .workplane(offset=-length)
    .sketch()
    .push([(0, bore_z)])
    .circle(bore_radius)
    .finalize()
    .extrude(2 * length)
)

result = flange.union(block).union(ring).cut(inside).cut(bore)
