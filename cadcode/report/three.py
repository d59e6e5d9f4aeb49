"""three.js for the page, out of the viewer that trimesh carries: nothing is fetched and nothing copied into here."""

import re

import trimesh
from trimesh.viewer.notebook import scene_to_html

VIEWER = re.compile(r"var\s+camera\b")  # where the library ends and trimesh's own viewer begins


def three_js() -> str | None:
    """three.js and its TrackballControls as a script, with their licence; None where this trimesh carries none."""
    page = scene_to_html(trimesh.Scene(trimesh.creation.box()))
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    viewer = VIEWER.search(script[1]) if script else None
    library = script[1][: viewer.start()] if viewer else ""
    return library if "THREE.TrackballControls" in library and "</script" not in library else None
