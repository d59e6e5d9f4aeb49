# Belt pulley, 52 mm, flat belt of 10 mm between two rims, with a hub. The axis is y, through (12.5, 80, -6).
import cadquery as cq

# parameters
axis_x = 12.5
start_y = 80
axis_z = -6
rim_radius = 26
rim_thickness = 2.5
belt_radius = 21
belt_width = 10
hub_radius = 11
hub_length = 9
bore_radius = 5

w = cq.Workplane("ZX", origin=(axis_x, start_y, axis_z))

# wheel: rim, drum, rim, then the hub
rim = w.sketch().circle(rim_radius).finalize().extrude(rim_thickness)
drum = w.workplane(offset=rim_thickness).sketch().circle(belt_radius).finalize().extrude(belt_width)
second_rim = (
    w.workplane(offset=rim_thickness + belt_width).sketch().circle(rim_radius).finalize().extrude(rim_thickness)
)
hub = w.workplane(offset=2 * rim_thickness + belt_width).sketch().circle(hub_radius).finalize().extrude(hub_length)

# bore: through everything
bore = (
    w.workplane(offset=-1)
    .sketch()
    .circle(bore_radius)
    .finalize()
    .extrude(2 * rim_thickness + belt_width + hub_length + 2)
)

result = rim.union(drum).union(second_rim).union(hub).cut(bore)
