"""Files that appear whole or not at all."""

import pytest

from cadcode.files import replacing


def test_a_file_is_replaced_at_the_end_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as written:
        written.write_text("new")
        assert path.read_text() == "old" and written.parent == tmp_path
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as written:
        written.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
