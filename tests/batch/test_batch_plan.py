import os
import unicodedata
from pathlib import Path

import pytest

from cadcode.batch.plan import Part, Shard, plan
from cadcode.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    """A folder with parts at three depths and things that are no parts."""
    folder = tmp_path / "parts"
    for name in ("b.stl", "a 1.STEP", "deep/ü b.obj", "deep/er/c.v2.xyz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    for name in ("notes.md", ".hidden.stl", "deep/no_suffix"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git/d.stl").write_text("x")
    return folder


def names(planned) -> list[str]:
    return [part.name for part in planned.parts]


def skipped(planned) -> dict[str, str]:
    return {other.part.name: other.status for other in planned.skipped}


def test_parts_are_found_at_every_depth_with_their_place(folder, tmp_path):
    planned = plan(folder, tmp_path / "out")
    assert names(planned) == ["a 1.STEP", "b.stl", "deep/er/c.v2.xyz", "deep/ü b.obj"]
    assert [part.stem for part in planned.parts] == ["a 1", "b", "deep/er/c.v2", "deep/ü b"]
    assert all(part.path == folder / part.name for part in planned.parts) and not planned.skipped
    assert not (tmp_path / "out").exists()


def test_links_are_followed_and_cannot_loop(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "e.stl").write_text("x")
    (elsewhere / "back").symlink_to(folder)
    (folder / "loop").symlink_to(folder)
    (folder / "deep/up").symlink_to("..")
    (folder / "also").symlink_to("deep")  # is visited at its own place
    (folder / "other").symlink_to(elsewhere)
    (folder / "self").symlink_to("self")
    (folder / "self.stl").symlink_to("self.stl")
    planned = plan(folder, tmp_path / "out")
    assert names(planned) == ["a 1.STEP", "b.stl", "deep/er/c.v2.xyz", "deep/ü b.obj", "other/e.stl", "self.stl"]


def test_results_are_no_inputs(folder):
    (folder / "out").mkdir()
    (folder / "out/b.step").write_text("x")
    assert "out/b.step" not in names(plan(folder, folder / "out", ("step",)))
    assert "out/b.step" in names(plan(folder, folder / "other", ("step",)))


def test_of_equal_stems_the_first_has_the_plain_one(folder, tmp_path):
    for name in ("B.obj", "b.ply", "deep/b.stl"):
        (folder / name).write_text("x")
    stems = {part.name: part.stem for part in plan(folder, tmp_path / "out").parts}
    assert (stems["B.obj"], stems["b.ply"], stems["b.stl"], stems["deep/b.stl"]) == ("B", "b.ply", "b.stl", "deep/b")


def test_files_that_cannot_be_told_apart_are_told(folder, tmp_path):
    for name in ("c.stl", "c.stl.ply", "c.obj"):
        (folder / name).write_text("x")
    planned = plan(folder, tmp_path / "out")
    assert skipped(planned) == {"c.stl.ply": "duplicate"}
    assert all("c.stl" in other.reason for other in planned.skipped)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to root")
def test_a_closed_folder_is_told(folder, tmp_path):
    (folder / "deep/er").chmod(0)
    planned = plan(folder, tmp_path / "out")
    (folder / "deep/er").chmod(0o755)
    assert skipped(planned) == {"deep/er": "unreadable"} and len(planned.parts) == 3


def test_a_folder_that_vanishes_is_told(folder, tmp_path, monkeypatch):
    whole = Path.iterdir

    def iterdir(path):
        if path.name == "er":
            raise OSError(5, "Input/output error")
        return whole(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    planned = plan(folder, tmp_path / "out")
    assert skipped(planned) == {"deep/er": "unreadable"} and "Input/output" in planned.skipped[0].reason


def test_nothing_to_do_is_said(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for words, reason in (
        ((tmp_path / "empty", tmp_path / "out"), "contains no mesh"),
        ((tmp_path / "missing", tmp_path / "out"), "is not a folder"),
        ((folder / "b.stl", tmp_path / "out"), "is not a folder"),
        ((folder, folder), "name another"),
    ):
        with pytest.raises(UsageError, match=reason):
            plan(*words)


def test_an_input_is_never_overwritten(tmp_path):
    """parts/parts/a.obj would be exported to parts/a.stl, which is another input."""
    for name in ("parts/a.stl", "parts/parts/a.obj"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    assert len(plan(tmp_path / "parts", tmp_path, ("py", "step")).parts) == 2
    with pytest.raises(UsageError, match="would be overwritten"):
        plan(tmp_path / "parts", tmp_path, ("py", "stl"))


def test_seeds_belong_to_names():
    seeds = {Part(Path(name), name).seed(seed) for name in ("a.stl", "b.stl", "a/a.stl") for seed in (0, 1)}
    assert len(seeds) == 6 and all(0 <= seed < 2**32 for seed in seeds)
    assert Part(Path("x"), "a.stl").seed(7) == Part(Path("y"), "a.stl").seed(7)
    composed, decomposed = (unicodedata.normalize(form, "ü.stl") for form in ("NFC", "NFD"))
    assert Part(Path(), composed).seed(0) == Part(Path(), decomposed).seed(0)
    assert isinstance(Part(Path(), "\udcff.stl").seed(0), int)


def test_shards_share_a_folder_out(folder, tmp_path):
    for name in ("b.ply", "b.stl.ply"):
        (folder / name).write_text("x")
    for i in range(40):
        (folder / f"{i}.stl").write_text("x")
    whole = plan(folder, tmp_path / "out")
    shares = [plan(folder, tmp_path / "out", shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(part.name for share in shares for part in share.parts) == names(whole)
    assert [name for share in shares for name in skipped(share)] == list(skipped(whole)) == ["b.stl.ply"]
    assert all(len(share.parts) > 5 for share in shares)
    (folder / "new.stl").write_text("x")
    more = [plan(folder, tmp_path / "out", shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert all(set(names(share)) <= set(names(other)) for share, other in zip(shares, more, strict=True))


def test_shards_are_written_as_two_numbers():
    assert Shard.parse("2/4") == Shard(2, 4) and Shard.parse("2/4").file == "results-2-of-4.jsonl"
    assert Shard.parse("1/1").file == "results.jsonl"
    for text in ("0/4", "5/4", "2", "2/4/6", "a/b", "-1/4", "", "1/0"):
        with pytest.raises(UsageError, match="--shard"):
            Shard.parse(text)


def test_packed_files_are_parts_whose_results_have_the_name_of_the_part(folder, tmp_path):
    for name in ("c.stl.gz", "d.v2.zip", "e.tar.gz", "b.ply.gz"):
        (folder / name).write_text("x")
    planned = plan(folder, tmp_path / "out")
    stems = {part.name: part.stem for part in planned.parts if "/" not in part.name}
    assert stems == {"a 1.STEP": "a 1", "b.ply.gz": "b", "b.stl": "b.stl", "c.stl.gz": "c", "d.v2.zip": "d.v2"}
