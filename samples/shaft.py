# Stepped shaft, 120 mm along x from (200, -35, 12): four diameters and a keyway.
import cadquery as cq

# parameters
start_x = 200
axis_y = -35
axis_z = 12
bearing_radius = 10
bearing_length = 30
body_radius = 13
body_length = 50
seat_radius = 9
seat_length = 25
thread_radius = 6
thread_length = 15
keyway_width = 8
keyway_length = 32
keyway_depth = 4

w = cq.Workplane("YZ", origin=(start_x, axis_y, axis_z))

# the four steps, one behind the other
bearing = w.sketch().circle(bearing_radius).finalize().extrude(bearing_length)
body = w.workplane(offset=bearing_length).sketch().circle(body_radius).finalize().extrude(body_length)
seat = w.workplane(offset=bearing_length + body_length).sketch().circle(seat_radius).finalize().extrude(seat_length)
thread = (
    w.workplane(offset=bearing_length + body_length + seat_length)
    .sketch()
    .circle(thread_radius)
    .finalize()
    .extrude(thread_length)
)

# keyway: in the top of the body
keyway = (
    cq.Workplane("XY")
    .workplane(offset=axis_z + body_radius - keyway_depth)
    .sketch()
    .push([(start_x + bearing_length + body_length / 2, axis_y)])
    .rect(keyway_length, keyway_width)
    .finalize()
    .extrude(2 * keyway_depth)
)

result = bearing.union(body).union(seat).union(thread).cut(keyway)
