"""three.js for the page, extracted from trimesh's viewer: no download, and no copy in this repository."""

import re

import trimesh
from trimesh.viewer.notebook import scene_to_html

VIEWER = re.compile(r"var\s+camera\b")  # start of trimesh's viewer, after the library


def three_js() -> str | None:
    """Script with three.js, TrackballControls and their licence; None if this version of trimesh contains none."""
    page = scene_to_html(trimesh.Scene(trimesh.creation.box()))
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    text = script[1] if script else ""
    viewer = VIEWER.search(text)
    library = text[: viewer.start()] if viewer else ""
    return library if "THREE.TrackballControls" in library and "</script" not in library else None
