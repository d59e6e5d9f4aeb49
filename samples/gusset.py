# Gusset, 75 x 50 x 75 mm: a triangular plate with a round hole between two feet. Away from the origin.
import cadquery as cq

# parameters
x = -30
y = 250
leg = 75
foot_width = 50
thickness = 6
plate_thickness = 8
hole_radius = 9
hole_at = 27

# feet: one flat, one upright
flat = (
    cq.Workplane("XY")
    .sketch()
    .push([(x + leg / 2, y + foot_width / 2)])
    .rect(leg, foot_width)
    .finalize()
    .extrude(thickness)
)
upright = (
    cq.Workplane("YZ")
    .workplane(offset=x)
    .sketch()
    .push([(y + foot_width / 2, leg / 2)])
    .rect(foot_width, leg)
    .finalize()
    .extrude(thickness)
)

# plate: the triangle between them, with a hole to save weight
plate = (
    cq.Workplane("ZX")
    .workplane(offset=y + foot_width / 2 - plate_thickness / 2)
    .sketch()
    .segment((thickness, x + thickness), (leg, x + thickness))
    .segment((thickness, x + leg))
    .close()
    .assemble()
    .push([(hole_at, x + hole_at)])
    .circle(hole_radius, mode="s")
    .finalize()
    .extrude(plate_thickness)
)

result = flat.union(upright).union(plate)
