import ast
import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cadcode.errors import KeptError, OutputError, UsageError
from cadcode.report.files import json_text, make_folder, plan, program_text, write_files, write_result

TEXT = "import cadquery as cq\n\nresult = cq.Workplane().box(1, 1, 1)\n"
TRIANGLE = np.eye(3), np.array([[0, 1, 2]])
ERROR = SimpleNamespace(iou=0.5, iou_reason=None, chamfer=0.1, max_deviation=0.2)


def result(path="in/part.stl", chosen=True, **facts):
    """As `reconstruct` gives it, as far as files are concerned."""
    vertices, faces = TRIANGLE
    solid = SimpleNamespace(vertices=vertices, faces=faces, exports={"step": b"ISO-10303-21;"})
    shape = SimpleNamespace(path=path, extents=np.array([1.0, 2.0, 3.0]), vertices=vertices, faces=faces, unit="mm")
    model = SimpleNamespace(spec=SimpleNamespace(name="small", licence="free"), revision="abc")
    options = SimpleNamespace(export=("step",), decoding=SimpleNamespace(seed=7))
    candidate = SimpleNamespace(text=TEXT, source="greedy", error=ERROR, solid=solid)
    return SimpleNamespace(
        shape=shape,
        model=model,
        options=options,
        chosen=candidate if chosen else None,
        as_dict=lambda: dict(path=path, **facts),
        remarks=("it is far off",),
    )


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def strict(text: str):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_result_is_three_files(tmp_path):
    written = write_result(result(), tmp_path / "a" / "b", "part.v2")
    assert set(written) == set((tmp_path / "a" / "b").iterdir())
    assert names(tmp_path / "a" / "b") == {"part.v2.py", "part.v2.step", "part.v2.json"}
    assert (tmp_path / "a/b/part.v2.py").read_text().endswith(TEXT)
    assert (tmp_path / "a/b/part.v2.step").read_bytes() == b"ISO-10303-21;"


def test_a_picture_when_asked(tmp_path):
    write_result(result(), tmp_path, "part", picture=True)
    assert (tmp_path / "part.png").read_bytes().startswith(b"\x89PNG")


def test_a_new_run_replaces_files_whole(tmp_path):
    longer = result()
    longer.chosen.text += "# and more\n" * 1000
    write_result(longer, tmp_path, "part")
    write_result(result(), tmp_path, "part")
    assert (tmp_path / "part.py").read_text() == program_text(result())


def test_without_a_program_only_json_and_nothing_stale(tmp_path):
    write_result(result(), tmp_path, "part", picture=True)
    (tmp_path / "part.brep").write_text("not ours this time")
    (tmp_path / "other.py").write_text("not ours")
    write_result(result(chosen=False), tmp_path, "part", picture=True)
    assert names(tmp_path) == {"part.json", "part.brep", "other.py"}


def test_the_json_is_strict(tmp_path):
    facts = dict(a=float("nan"), b=[np.float32(1.5), np.inf], c=dict(d=np.int64(3), e=np.bool_(True), f=(None, "x")))
    write_result(result(**facts), tmp_path, "part")
    read = strict((tmp_path / "part.json").read_text())
    assert set(read.pop("files")) == {"py", "step"}
    assert read == {"path": "in/part.stl", "a": None, "b": [1.5, None], "c": {"d": 3, "e": True, "f": [None, "x"]}}
    assert strict(json_text(facts)) == {key: read[key] for key in facts} and "\n" not in json_text(facts)


NAMES = ["part.stl", "a\nimport os\n.stl", "a\rimport os", "a\u2028b\x0cimport os\x85c", "b\udcff"]


@pytest.mark.parametrize("name", NAMES)
def test_the_header_is_nothing_but_comments(name):
    text = program_text(result(f"in/{name}"))
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(TEXT))
    text.encode()  # a file can hold it
    for fact in (
        "1 x 2 x 3",
        "small abc (free)",
        "greedy, seed 7",
        "IoU 0.5000",
        "largest distance 0.2",
        "Units: mm",
        "Note: it is far off",
    ):
        assert fact in text


# --- files that are kept ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        ("part.py", lambda text: text.replace("box(1, 1, 1)", "box(2, 1, 1)")),
        ("part.py", lambda text: text + "# mine\n"),
        ("part.py", lambda text: text.replace("# Units: mm", "# Units: inch")),
        ("part.py", lambda text: "print(1)\n"),
        ("part.step", lambda text: text + "x"),
        ("part.png", lambda text: text + "x"),
        ("part.json", lambda text: "{}"),
    ],
)
def test_what_was_changed_since_is_kept(tmp_path, change):
    name, edited = change
    write_result(result(), tmp_path, "part", picture=True)
    changed = edited((tmp_path / name).read_bytes().decode("latin-1")).encode("latin-1")
    (tmp_path / name).write_bytes(changed)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for given in (result(), result(chosen=False)):
        with pytest.raises(KeptError, match="--force"):
            write_result(given, tmp_path, "part", picture=True)
        assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_result(result(), tmp_path, "part", picture=True, force=True)
    assert (tmp_path / name).read_bytes() != changed


@pytest.mark.parametrize("name", ["part.py", "part.step", "part.json", "part.png"])
def test_files_of_other_programs_are_kept(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(KeptError, match=name):
        write_result(result(), tmp_path, "part", picture=True)
    assert names(tmp_path) == {name} and (tmp_path / name).read_text() == "precious"


def test_other_line_ends_are_no_edit(tmp_path):
    write_result(result(), tmp_path, "part")
    program = tmp_path / "part.py"
    program.write_bytes(program.read_bytes().replace(b"\n", b"\r\n"))
    write_result(result(), tmp_path, "part")


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_files_get_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_text("")
    write_result(result(), tmp_path, "part")
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    write_files(tmp_path, {"part.py": b"old", "part.step": b"old"})
    write = Path.write_bytes

    def full(path, data):
        write(path, data[: len(data) // 2])
        if b"second" in data:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="part.step: cannot be written .No space left on device.") as caught:
        write_files(tmp_path, {"part.py": b"first", "part.step": b"second"})
    assert caught.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"part.py": b"old", "part.step": b"old"}


def test_an_interrupt_leaves_nothing_half_written(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, {"part.py": b"new", "part.step": b"new"})
    assert names(tmp_path) == set()


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "part.py").mkdir()
    with pytest.raises(OutputError, match="file"):
        write_files(tmp_path / "file", {"part.py": b""})
    with pytest.raises(OutputError, match="file"):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(OutputError, match="part.py"):
        write_files(tmp_path, {"part.py": b""})
    assert names(tmp_path) == {"file", "part.py"}


def test_a_folder_is_made_and_left_empty(tmp_path):
    make_folder(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == set()


# --- where files go --------------------------------------------------------------------------------------------------

SUFFIXES = ("py", "json", "step")


def test_a_folder_a_file_or_stdout(tmp_path):
    folder, single, stdout = (plan([Path("x/a.b.stl")], out, SUFFIXES)[0] for out in ("out", "out/c.py", "-"))
    assert (folder.folder, folder.stem) == (Path("out"), "a.b")
    assert plan([Path("x/a.b.stl.gz")], "out", SUFFIXES)[0].stem == "a.b"
    assert (single.folder, single.stem) == (Path("out"), "c")
    assert stdout.folder is None
    (tmp_path / "folder.py").mkdir()
    assert plan([Path("a.stl")], str(tmp_path / "folder.py"), SUFFIXES)[0].folder == tmp_path / "folder.py"


@pytest.mark.parametrize("output", ["-", "c.py"])
def test_one_program_holds_one_part(output):
    with pytest.raises(UsageError, match="one program"):
        plan([Path("a.stl"), Path("b.stl")], output, SUFFIXES)


@pytest.mark.parametrize("second", ["y/a.stl", "x/a.obj", "x/A.stl", "x/a.stl"])
def test_two_parts_do_not_share_a_file(second):
    with pytest.raises(UsageError, match="would both be written to"):
        plan([Path("x/a.stl"), Path("x/b.stl"), Path(second)], "out", SUFFIXES)


@pytest.mark.parametrize("spelling", ["part.step", "./part.step", "link.step"])
def test_an_input_is_never_overwritten(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    Path("part.step").write_text("precious")
    Path("link.step").symlink_to("part.step")
    with pytest.raises(UsageError, match="part.step is an input"):
        plan([Path(spelling)], "part.py", SUFFIXES)
    with pytest.raises(UsageError, match="part.step is an input"):  # neither by another part's files
        plan([Path("elsewhere/part.stl"), Path("link.step")], ".", SUFFIXES)
    assert plan([Path(spelling)], "out", SUFFIXES) and plan([Path(spelling)], ".", ("py", "json"))
