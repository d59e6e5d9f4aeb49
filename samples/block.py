# Bearing block, 110 x 34 x 61 mm: a foot with two bolt holes and an upright with a bore of 30 mm. The bore's axis is y.
import cadquery as cq

# parameters
foot_length = 110
foot_width = 34
foot_height = 12
bolt_x = 42
bolt_radius = 5.5
upright_width = 28
upright_radius = 25
bore_z = 36
bore_radius = 15

# foot: at z = 0, centred
foot = (
    cq.Workplane("XY")
    .sketch()
    .rect(foot_length, foot_width)
    .push([(-bolt_x, 0), (bolt_x, 0)])
    .circle(bolt_radius, mode="s")
    .finalize()
    .extrude(foot_height)
)

# upright: straight sides, round above the bore
upright = (
    cq.Workplane("ZX")
    .workplane(offset=-upright_width / 2)
    .sketch()
    .segment((0, -upright_radius), (bore_z, -upright_radius))
    .arc((bore_z + upright_radius, 0), (bore_z, upright_radius))
    .segment((0, upright_radius))
    .close()
    .assemble()
    .push([(bore_z, 0)])
    .circle(bore_radius, mode="s")
    .finalize()
    .extrude(upright_width)
)

result = foot.union(upright)
