# Wheel hub: a flange of 64 mm with four holes, a boss, a bore of 16 mm with a keyway. The axis is z, the flange at 0.
import cadquery as cq

# parameters
flange_radius = 32
flange_height = 8
boss_radius = 18
total_height = 30
bore_radius = 8
bolt_circle_radius = 25
bolt_hole_radius = 3.3
keyway_width = 5
keyway_top = 10.3

# flange: a disc with four holes
flange = (
    cq.Workplane("XY")
    .sketch()
    .circle(flange_radius)
    .push([(bolt_circle_radius, 0), (0, bolt_circle_radius), (-bolt_circle_radius, 0), (0, -bolt_circle_radius)])
    .circle(bolt_hole_radius, mode="s")
    .finalize()
    .extrude(flange_height)
)

# boss: the thick part around the bore
boss = (
    cq.Workplane("XY")
    .workplane(offset=flange_height)
    .sketch()
    .circle(boss_radius)
    .finalize()
    .extrude(total_height - flange_height)
)

# bore: through everything, with its keyway
bore = (
    cq.Workplane("XY")
    .workplane(offset=-1)
    .sketch()
    .circle(bore_radius)
    .push([(0, keyway_top / 2)])
    .rect(keyway_width, keyway_top)
    .finalize()
    .extrude(total_height + 2)
)

result = flange.union(boss).cut(bore)
