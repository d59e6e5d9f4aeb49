import xml.etree.ElementTree as ElementTree

import pytest

from cadcode.bench.thresholds import Limits, as_dict, judged, junit_xml, read_limits
from cadcode.cli.options import printable
from cadcode.errors import InputError, UsageError


def row(name="a.stl", status="done", iou=0.9, cd=0.2, deviation=0.5, iou_reason=None, **facts):
    error = dict(iou=iou, iou_reason=iou_reason, cd_x1000=cd, max_deviation=deviation) if status == "done" else None
    return dict(dict(name=name, status=status, reason=None, error=error, seconds=1.5), **facts)


def limits(folder, text: str, named=Limits()):  # noqa: B008
    (folder / "check.toml").write_text(text)
    return read_limits(folder, named)


@pytest.mark.parametrize(
    ("asked", "short"),
    [
        (Limits(), 0),
        (Limits(min_iou=0.9, max_cd=0.2, max_deviation=0.5), 0),
        (Limits(min_iou=0.91), 1),
        (Limits(max_cd=0.19), 1),
        (Limits(max_deviation=0.49), 1),
        (Limits(min_iou=1, max_cd=0, max_deviation=0), 3),
    ],
)
def test_a_part_falls_short_beyond_a_limit(asked, short):
    assert len(asked.shortfalls(row())) == short


def test_a_part_without_a_program_always_falls_short():
    for status in ("no program", "unreadable", "crashed", "duplicate"):
        (said,) = Limits().shortfalls(row(status=status, reason="why"))
        assert status in said and "why" in said


def test_iou_is_asked_only_where_the_input_has_a_volume():
    asked = Limits(min_iou=0.9)
    assert asked.shortfalls(row(iou=None, iou_reason="input: a point cloud has no volume")) == []
    (said,) = asked.shortfalls(row(iou=None, iou_reason="result: is an open sheet"))
    assert "open sheet" in said


def test_limits_of_single_parts_stand_above_those_of_all(tmp_path):
    read = limits(tmp_path, 'min_iou = 0.8\nmax_cd = 1\n[parts."sub/a b.stl"]\nmin_iou = 0.5\nmax_deviation = 2.5\n')
    assert read.of("other.stl") == Limits(0.8, 1.0)
    assert read.of("sub/a b.stl") == Limits(0.5, 1.0, 2.5)
    named = read_limits(tmp_path, Limits(min_iou=0.7))
    assert named.of("other.stl") == Limits(0.7, 1.0) and named.of("sub/a b.stl").min_iou == 0.5


def test_without_a_file_the_options_are_the_limits(tmp_path):
    assert read_limits(tmp_path, Limits(max_cd=2)).of("a.stl") == Limits(max_cd=2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("min_iou 0.9", "cannot be read"),
        ("min_iuo = 0.9", "'min_iuo' is not a limit"),
        ("min_iou = '0.9'", "not a number"),
        ("min_iou = true", "not a number"),
        ("max_cd = -1", "not a number"),
        ("max_cd = nan", "not a number"),
        ("parts = 3", "not a table"),
        ("[parts]\n'a.stl' = 0.9", "not a table"),
        ("[parts.'a.stl']\nmin_ious = 0.9", "'min_ious' is not a limit"),
    ],
)
def test_a_file_that_says_nothing_clear_is_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=reason):
        limits(tmp_path, text)


def test_limits_for_a_part_that_is_not_there_are_refused(tmp_path):
    """A slip in its name would let the part pass."""
    read = limits(tmp_path, "[parts.'lost.stl']\nmin_iou = 1")
    with pytest.raises(UsageError, match="lost.stl"):
        judged({"a.stl": row()}, read)


@pytest.fixture
def verdicts(tmp_path):
    broken = row("bad\x00\x1b & <b>.stl", "unreadable", reason="is \x01 empty")
    rows = [row("good.stl"), row("poor.stl", iou=0.1), broken, row("\udcff.stl")]
    return judged({r["name"]: r for r in rows}, read_limits(tmp_path, Limits(min_iou=0.5)))


def test_the_outcome_as_plain_values(verdicts):
    told = as_dict(verdicts)
    assert told["failed"] == 2 and len(told["parts"]) == 4
    assert {part["name"]: bool(part["short"]) for part in told["parts"]}["poor.stl"]


def test_junit_is_well_formed_and_counts(verdicts):
    root = ElementTree.fromstring(junit_xml(verdicts, "sämples", printable))
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "sämples")
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["4", "1", "1"]
    assert float(suite.get("time")) == 6.0
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"good.stl": [], "poor.stl": ["failure"], "bad?? & <b>.stl": ["error"], "?.stl": []}
    assert "0.1000 is below 0.5" in suite.find(".//failure").get("message")
