"""Compiled sources: kept for the next process, never in the way where they can't be compiled or kept."""

import shutil
import subprocess
import sys

import pytest

from cadcode.model.engines import compiled

SOURCE = "int answer(void) { return 42; }"
needs_compiler = pytest.mark.skipif(not any(map(shutil.which, compiled.COMPILERS)), reason="no C compiler here")


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "some.c"
    path.write_text(SOURCE)
    return path


def load(source):
    """As another process would."""
    return compiled.library.__wrapped__(source)


def kept():
    return sorted(compiled.cache_folder().glob("*"))


@needs_compiler
def test_a_library_is_compiled_once(source, monkeypatch):
    assert load(source).answer() == 42
    assert [path.suffix for path in kept()] == [".so"]  # and nothing beside it
    monkeypatch.setattr(compiled.subprocess, "run", lambda *_, **__: pytest.fail("compiled again"))
    assert load(source).answer() == 42


@needs_compiler
def test_another_source_flag_or_processor_is_another_library(source, monkeypatch, tmp_path):
    load(source)
    source.write_text(SOURCE.replace("42", "43"))
    assert load(source).answer() == 43
    monkeypatch.setattr(compiled, "FLAGS", (*compiled.FLAGS, "-g"))
    load(source)
    other = tmp_path / "cpuinfo"
    other.write_text("flags : some others\n")
    monkeypatch.setattr(compiled, "CPU_INFO", other)
    load(source)
    assert len(kept()) == 4


@needs_compiler
def test_a_folder_that_cannot_be_written_to_only_costs_time(source, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert load(source).answer() == 42


@needs_compiler
def test_a_kept_file_that_is_damaged_is_replaced(source):
    command = f"from cadcode.model.engines import compiled; compiled.library(compiled.Path({str(source)!r}))"
    subprocess.run([sys.executable, "-c", command], check=True)  # here it would stay loaded
    [path] = kept()
    path.write_bytes(b"damaged")
    assert load(source).answer() == 42 and path.stat().st_size > 100


@needs_compiler
def test_a_source_that_does_not_compile_is_no_library(source):
    source.write_text("int answer(void) {")
    assert load(source) is None and kept() == []


def test_without_a_compiler_there_is_no_library(source, monkeypatch):
    monkeypatch.setattr(compiled, "COMPILERS", ("no-such-compiler",))
    assert load(source) is None


@needs_compiler
def test_nothing_is_loaded_from_where_others_may_write(source):
    load(source)
    [path] = kept()
    assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.chmod(0o777)
    path.write_bytes(b"someone else's")
    assert load(source).answer() == 42 and path.read_bytes() == b"someone else's"


@needs_compiler
def test_a_user_without_a_home_compiles_each_time(source, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(compiled.Path, "home", no_home)
    assert compiled.cache_folder() is None and load(source).answer() == 42


def no_home():
    raise RuntimeError("Could not determine home directory.")
