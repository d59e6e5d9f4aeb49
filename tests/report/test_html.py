import ast
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cadcode.report import html
from cadcode.report.highlight import highlighted
from cadcode.report.html import report_page, summary_line
from cadcode.report.picture import png_bytes

PROGRAM = """import cadquery as cq  # <b> & "quotes"

# parameters
side = 20.5

result = cq.Workplane("XY").box(side, side, 3)
"""


class Page(HTMLParser):
    """What a page holds: tags with attributes, the text of rows, links to elsewhere."""

    VOID = {"meta", "img", "input", "br", "link", "rect"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.rows, self.titles, self.text = [], [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        self.titles += [data] if self.open[-1:] == ["title"] else []
        if "tr" in self.open:
            self.rows[-1] += data

    def attributes(self, name) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if attributes.get(name)]


def row(name, status="done", iou=0.9, **facts):
    error = dict(iou=iou, chamfer=0.01, max_deviation=0.2, cd_x1000=0.16) if status == "done" else None
    stem = name.rsplit(".", 1)[0]
    known = dict(name=name, status=status, reason=None, error=error, chosen="greedy", extents=[10.0, 5.0, 1.0])
    return known | dict(seconds=2.0, files=[f"{stem}.json", f"{stem}.py"], thumbnail=f".t/{stem}.png") | facts


@pytest.fixture
def rows(tmp_path):
    (tmp_path / ".t").mkdir()
    (tmp_path / ".t/fine.png").write_bytes(png_bytes(np.zeros((4, 8, 3), np.uint8)))
    (tmp_path / "fine.py").write_text(PROGRAM)
    return [
        row("fine.stl"),
        row("box.stl", iou=0.95, chosen="bounding box"),
        row("poor.stl", iou=0.3),
        row("cloud.xyz", iou=None),
        row("bad <i>.stl", "unreadable", reason="is \x1b </td> empty", files=[], thumbnail=None, seconds=None),
        row("\udcff &.stl", iou=0.99),
    ]


@pytest.fixture
def page(rows, tmp_path):
    text = report_page(rows, tmp_path, "A <title>")
    text.encode()
    return Page(text)


def test_the_worst_parts_come_first(page, rows):
    names = [text for text in page.attributes("data-name")]
    assert names == ["bad <i>.stl", "box.stl", "poor.stl", "fine.stl", "? &.stl", "cloud.xyz"]
    assert "unreadable: is" in page.rows[1] and "</td> empty" in page.rows[1]
    assert len(page.rows) == len(rows) + 1


def test_nothing_comes_from_elsewhere(page):
    links = [value for name in ("src", "href", "action", "data", "poster", "srcset") for value in page.attributes(name)]
    assert links and not [link for link in links if re.match(r"(?i)\s*(https?:|//|ftp:|javascript:)", link)]
    assert all(link.startswith("data:image/png;base64,") for link in links if ":" in link)
    (policy,) = [content for content in page.attributes("content") if "default-src" in content]
    assert "default-src 'none'" in policy and "http" not in policy
    assert not {"link", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert "url(" not in page.text and "@import" not in page.text and "fetch(" not in page.text


def test_pictures_and_programs_are_inside(page):
    assert len(page.attributes("src")) == 1
    assert "result = cq.Workplane" in page.text and "program" in page.rows[4]
    assert {"fine.json", "fine.py"} <= set(page.attributes("href"))
    assert "%FF%20%26.py" in page.attributes("href")


def test_columns_can_be_sorted_by_their_values(page):
    heads = [tag for tag, _ in page.tags if tag == "th"]
    cells = [tag for tag, _ in page.tags if tag == "td"]
    assert len(cells) == len(heads) * 6
    values = [attributes.get("data-value") for tag, attributes in page.tags if tag == "td"]
    ious = values[2 :: len(heads)]
    assert ious == [None, "0.95", "0.3", "0.9", "0.99", None]


def test_histograms_count_every_part(page):
    svgs = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert svgs[0] == "IoU" and len(svgs) == 2
    name, *bars = page.titles
    assert sum(int(bar.split(": ")[1]) for bar in bars) == 4 + 5  # four have an IoU, five a distance
    assert name == "A <title>" and {"0.90: 1", "0.95: 2", "0.30: 1", "3 %: 5"} <= set(bars)


@pytest.mark.parametrize(
    "rows",
    [[], [row("bad.stl", "no program", reason="none")], [row("one.stl", iou=1.0)]],
    ids=["none", "failed", "perfect"],
)
def test_few_parts_make_a_page_too(rows, tmp_path):
    assert len(Page(report_page(rows, tmp_path)).rows) == len(rows) + 1


def test_a_thousand_parts_are_a_light_page(tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(np.zeros((112, 224, 3), np.uint8)))
    text = report_page([row(f"{i}.stl", thumbnail="a.png") for i in range(1000)], tmp_path)
    assert len(Page(text).rows) == 1001 and len(text) < 5e6


@pytest.mark.parametrize(("limit", "shown"), [(1000, 3), (20, 2), (0, 0)])
def test_a_page_has_a_limit_of_meshes(tmp_path, monkeypatch, limit, shown):
    """The worst parts have meshes, the page counts the others; three.js comes only with meshes."""
    monkeypatch.setattr(html, "MAX_MESH_CHARACTERS", limit)
    (tmp_path / "a.view").write_bytes(b"123456")  # 8 characters as base64
    rows = [row(f"{i}.stl", iou=i / 10, view="a.view") for i in (3, 1, 2)] + [row("lost.stl", iou=0, view="b.view")]
    text = report_page(rows, tmp_path)
    assert [chunk.split("<b>")[1][0] for chunk in text.split('"text/plain">')[1:]] == list("123")[:shown]
    assert (f"The {3 - shown} best parts have only a thumbnail" in text) == (shown < 3)
    assert ("Three.js Authors" in text) == (shown > 0)


def test_the_summary_counts(rows):
    said = summary_line(rows)
    assert "5 of 6 parts have a program" in said and "1 of them only their bounding box" in said
    assert "1 unreadable" in said and "IoU mean 0.785, median 0.925" in said
    assert summary_line([]) == "0 of 0 parts have a program"


def test_highlighting_keeps_every_character():
    told = Page(highlighted(PROGRAM))
    assert told.text == PROGRAM and ast.dump(ast.parse(told.text)) == ast.dump(ast.parse(PROGRAM))
    classes = told.attributes("class")
    assert {"k", "n", "s", "c"} == set(classes) and classes.count("c") == 2 and classes.count("k") == 2


ODD = [
    "",
    "x = (",
    "'open",
    "<script>alert(1)</script>",
    "\tx\n  y",
    "a = 1\n\n\n",
    "é = '部' # ü",
    "x\x00 = 1",
    "a = 1\x0c\nb = 2\u2028",
    "a = 1\r\nb = 2",
]


@pytest.mark.parametrize("text", ODD)
def test_any_text_is_shown_as_it_is(text):
    told = Page(highlighted(text))
    assert told.text == text and "script" not in [tag for tag, _ in told.tags]


def test_the_size_has_its_unit_and_warnings_stand_beside_it(tmp_path):
    facts = dict(extents=[60.0, 40.0, 40.0], warnings=["left out 1 support object"], remarks=["it falls into 2 bodies"])
    text = Page(report_page([row("a.3mf", unit="mm", **facts), row("b.stl", unit=None, **facts)], tmp_path)).text
    assert "60 x 40 x 40 mm" in text and "60 x 40 x 40 (unit not named)" in text
    assert "left out 1 support object" in text and "it falls into 2 bodies" in text
