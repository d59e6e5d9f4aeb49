from cadcode.report import three
from cadcode.report.three import three_js


def test_trimesh_carries_three_js_with_its_licence():
    script = three_js()
    assert "Three.js Authors" in script and "MIT" in script
    assert "TrackballControls" in script and "WebGLRenderer" in script and "</script" not in script


def test_the_viewer_of_trimesh_is_left_out():
    assert "base64_data" not in three_js()


def test_where_there_is_no_three_js_there_is_none(monkeypatch):
    for page in ("", "<script>var camera</script>", "<script>THREE.TrackballControls</script>"):
        monkeypatch.setattr(three, "scene_to_html", lambda scene, page=page: page)
        assert three_js() is None
