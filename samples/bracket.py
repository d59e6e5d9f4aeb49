# Shelf bracket, 60 x 40 x 45 mm: a foot and a wall with two screw holes each, and a rib between them.
import cadquery as cq

# parameters
width = 60
foot_depth = 40
wall_height = 45
thickness = 5
screw_radius = 2.75
screw_inset = 15
rib_thickness = 4

# foot: the plate on the shelf
foot = (
    cq.Workplane("XY")
    .sketch()
    .push([(width / 2, foot_depth / 2)])
    .rect(width, foot_depth)
    .push([(screw_inset, 26), (width - screw_inset, 26)])
    .circle(screw_radius, mode="s")
    .finalize()
    .extrude(thickness)
)

# wall: the plate on the wall
wall = (
    cq.Workplane("ZX")
    .sketch()
    .push([(wall_height / 2, width / 2)])
    .rect(wall_height, width)
    .push([(31, screw_inset), (31, width - screw_inset)])
    .circle(screw_radius, mode="s")
    .finalize()
    .extrude(thickness)
)

# rib: a triangle in the middle
rib = (
    cq.Workplane("YZ")
    .workplane(offset=width / 2 - rib_thickness / 2)
    .sketch()
    .segment((thickness, thickness), (32, thickness))
    .segment((thickness, 37))
    .close()
    .assemble()
    .finalize()
    .extrude(rib_thickness)
)

result = foot.union(wall).union(rib)
