# Pipe flange, 80 mm, six bolts on a circle of 60 mm, a raised face and a neck. The axis is z, the bolted face at z = 0.
import cadquery as cq

# parameters
radius = 40
thickness = 9
bolt_circle_radius = 30
bolt_radius = 3.5
neck_radius = 19
neck_height = 24
face_radius = 23
face_height = 1.5
bore_radius = 13.5

bolt_x = 0.5 * bolt_circle_radius
bolt_y = 0.8660254 * bolt_circle_radius

# plate: a disc with six holes
plate = (
    cq.Workplane("XY")
    .sketch()
    .circle(radius)
    .push(
        [
            (bolt_circle_radius, 0),
            (bolt_x, bolt_y),
            (-bolt_x, bolt_y),
            (-bolt_circle_radius, 0),
            (-bolt_x, -bolt_y),
            (bolt_x, -bolt_y),
        ]
    )
    .circle(bolt_radius, mode="s")
    .finalize()
    .extrude(thickness)
)

# raised face and neck: on either side
face = cq.Workplane("XY").sketch().circle(face_radius).finalize().extrude(-face_height)
neck = cq.Workplane("XY").workplane(offset=thickness).sketch().circle(neck_radius).finalize().extrude(neck_height)

# bore: through everything
bore = cq.Workplane("XY").workplane(offset=-5).sketch().circle(bore_radius).finalize().extrude(50)

result = plate.union(face).union(neck).cut(bore)
