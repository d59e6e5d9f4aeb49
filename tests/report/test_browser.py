"""The page in a real browser, where there is one: Chromium without a window, WebGL without a graphics card."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import trimesh

from cadcode.report.html import report_page
from cadcode.report.picture import png_bytes, side_by_side
from cadcode.report.view import view_bytes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ALONE = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,800",
)
SOFTWARE = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
COUNT = 1000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

# Runs `steps` after the page's own scripts and leaves what they return in the page.
DRIVER = """<script>
const broken = [];
addEventListener("error", event => broken.push(String(event.message)));
addEventListener("unhandledrejection", event => broken.push(String(event.reason)));
const until = async condition => { while (!condition()) await new Promise(resume => setTimeout(resume, 20)); };
const drawn = async name => {
  await until(() => dialog.dataset.drawn && within("h2").textContent === name);
  const told = { drawn: dialog.dataset.drawn, program: within("pre").textContent, facts: within("dl").textContent };
  delete dialog.dataset.drawn;
  return told;
};
const reds = side => {
  const gl = within("canvas").getContext("webgl2"), [wide, high] = [gl.drawingBufferWidth / 2, gl.drawingBufferHeight];
  const pixels = new Uint8Array(4 * wide * high);
  gl.readPixels(side * wide, 0, wide, high, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let [red, grey] = [0, 0];
  for (let i = 0; i < pixels.length; i += 4) {
    red += pixels[i] > 1.5 * pixels[i + 2];
    grey += pixels[i] < 230 && Math.abs(pixels[i] - pixels[i + 2]) < 20;
  }
  return { red, grey };
};
const names = () => [...body.rows].filter(row => !row.hidden).map(row => row.querySelector("b").textContent);
(async () => {
  let told;
  try { told = await (async () => { STEPS })(); } catch (error) { broken.push(String(error)); }
  const note = document.createElement("output");
  note.textContent = JSON.stringify({ told, broken });
  document.body.append(note);
})();
</script>"""


def run(page: str, folder, steps: str, *flags: str, link: str = "") -> dict:
    """What `steps`, the body of an async function, return in the page; nothing may go wrong in it."""
    path = folder / "report.html"
    path.write_text(page.replace("</body>", DRIVER.replace("STEPS", steps) + "</body>"), encoding="utf-8")
    words = [
        CHROMIUM,
        *ALONE,
        *flags,
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=60000",
        "--dump-dom",
        f"{path.as_uri()}{link}",
    ]
    shown = subprocess.run(words, capture_output=True, text=True, timeout=240, check=True).stdout
    found = re.search(r"<output>(.*?)</output>", shown, re.DOTALL)
    assert found, shown[-500:]
    result = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert result["broken"] == []
    return result["told"]


def row(name: str, iou: float, **facts) -> dict:
    error = dict(iou=iou, chamfer=0.1, max_deviation=1.0, cd_x1000=0.2)
    files = dict(files=["part.py"], thumbnail="part.png", view="part.view")
    return (
        dict(
            name=name,
            status="done",
            reason=None,
            error=error,
            chosen="greedy",
            extents=[40, 20, 10],
            seconds=1.0,
            **files,
        )
        | facts
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A part that has grown by 1 at its top, as a page needs it."""
    folder = tmp_path_factory.mktemp("page")
    tube, other = (trimesh.creation.annulus(5, 20, height) for height in (10, 11))
    other.apply_translation((0, 0, 0.5))
    meshes = [(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh in (tube, other)]
    (folder / "part.view").write_bytes(view_bytes(*meshes, 1.0))
    (folder / "alone.view").write_bytes(view_bytes(meshes[0]))
    (folder / "part.png").write_bytes(png_bytes(side_by_side(*meshes, 112)))
    (folder / "part.py").write_text("result = 1 < 2  # <b>\n")
    return folder


def test_a_linked_part_is_drawn_twice_with_its_error_in_colour(folder):
    page = report_page([row("ä b/part.stl", 0.9), row("other.stl", 0.1)], folder)
    steps = """const told = await drawn("ä b/part.stl");
      return { ...told, left: reds(0), right: reds(1), shapes: within("canvas").dataset.shapes,
               largest: within(".legend b").textContent, heads: document.querySelectorAll("aside pre span").length };"""
    told = run(page, folder, steps, *SOFTWARE, link="#part=%C3%A4%20b/part.stl")
    assert told["drawn"] == "3D" and told["shapes"] == "2" and told["largest"] == "1"
    assert told["program"] == "result = 1 < 2  # <b>\n" and told["heads"] == 3 and "0.900" in told["facts"]
    for side in ("left", "right"):  # the top is off by the largest distance, the sides are not
        assert told[side]["red"] > 2000 and told[side]["grey"] > 2000


def test_without_webgl_there_is_the_picture(folder):
    steps = """const told = await drawn("part.stl"), image = within("section > img");
      return { ...told, canvas: within("canvas").hidden, wide: image.naturalWidth, hidden: image.hidden,
               legend: within(".legend").hidden };"""
    told = run(report_page([row("part.stl", 0.9)], folder), folder, steps, "--disable-3d-apis", link="#part=part.stl")
    assert told["drawn"] == "picture" and told["canvas"] and told["legend"]
    assert told["wide"] == 224 and not told["hidden"]


def test_one_looks_through_a_thousand_parts(folder):
    """Failures first; only the part that is open is unpacked, one after another in the order of the table."""
    rows = [row(f"part {i:04}.stl", iou=0.5 + i / 2000) for i in range(2, COUNT)]
    rows.append(row("failed.stl", 0, status="no program", reason="<none>", error=None, files=[], view="alone.view"))
    rows.append(
        row("gone.stl", 0, status="unreadable", reason="is empty", error=None, files=[], view=None, thumbnail=None)
    )
    page = report_page(rows, folder)
    assert page.count('<script type="text/plain">') == COUNT - 1 and len(page) < 50e6
    steps = """
      const told = { before: names().slice(0, 3), canvas: within("canvas").dataset.shapes ?? "none" };
      const press = key => dialog.dispatchEvent(new KeyboardEvent("keydown", { key }));
      body.querySelector("button").click();
      told.first = { ...await drawn("failed.stl"), shapes: within("canvas").dataset.shapes,
                     legend: within(".legend").hidden, remark: within("header span").textContent };
      press("ArrowRight");
      told.second = await drawn("gone.stl");
      press("ArrowRight");
      told.third = { ...await drawn("part 0002.stl"), shapes: within("canvas").dataset.shapes };
      heads[2].click(); heads[2].click();
      told.sorted = names().slice(0, 2);
      press("ArrowLeft");
      told.left = await drawn("part 0003.stl");
      const find = document.querySelector("input");
      find.value = "PART 099";
      find.dispatchEvent(new Event("input"));
      told.found = names();
      dialog.close();
      told.canvases = document.querySelectorAll("canvas").length;
      return told;"""
    told = run(page, folder, steps, *SOFTWARE)
    assert told["before"] == ["failed.stl", "gone.stl", "part 0002.stl"] and told["canvas"] == "none"
    assert told["first"]["drawn"] == "3D" and told["first"]["shapes"] == "1" and told["first"]["legend"]
    assert told["first"]["remark"] == "no program: <none>" and "no program" in told["first"]["program"]
    assert told["second"]["drawn"] == "nothing" and told["third"]["drawn"] == "3D" and told["third"]["shapes"] == "2"
    assert told["sorted"] == ["part 0999.stl", "part 0998.stl"] and told["left"]["drawn"] == "3D"
    assert told["found"] == [f"part 099{i}.stl" for i in range(9, -1, -1)] and told["canvases"] == 1
