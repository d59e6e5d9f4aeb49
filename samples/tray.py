# Tray, 140 x 90 x 25 mm: a box with walls of 2.5 mm, a divider and a finger notch. One corner lies at the origin.
import cadquery as cq

# parameters
length = 140
width = 90
height = 25
wall = 2.5
divider_x = 50
notch_radius = 11

# body: the full block
body = cq.Workplane("XY").sketch().push([(length / 2, width / 2)]).rect(length, width).finalize().extrude(height)

# pockets: a small one and a large one, the divider stays between them
small_length = divider_x - 2 * wall
large_length = length - divider_x - wall
small_pocket = (
    cq.Workplane("XY")
    .workplane(offset=wall)
    .sketch()
    .push([(wall + small_length / 2, width / 2)])
    .rect(small_length, width - 2 * wall)
    .finalize()
    .extrude(height)
)
large_pocket = (
    cq.Workplane("XY")
    .workplane(offset=wall)
    .sketch()
    .push([(divider_x + large_length / 2, width / 2)])
    .rect(large_length, width - 2 * wall)
    .finalize()
    .extrude(height)
)

# notch: half a circle in the front wall
notch = (
    cq.Workplane("ZX")
    .workplane(offset=-1)
    .sketch()
    .push([(height, 94)])
    .circle(notch_radius)
    .finalize()
    .extrude(wall + 2)
)

result = body.cut(small_pocket).cut(large_pocket).cut(notch)
