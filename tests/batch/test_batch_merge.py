"""Shards and gathering what they have written."""

import pytest
from fake_batch import FakeSetup, Listener, convert_folder, files, make_parts, told

from cadcode.batch.merge import merge_shards
from cadcode.batch.plan import Shard
from cadcode.batch.results_log import open_results_log
from cadcode.errors import UsageError


@pytest.fixture
def parts(tmp_path):
    return make_parts(tmp_path / "parts")


def test_shards_gathered_are_one_run(parts, tmp_path):
    convert_folder(parts, FakeSetup(tmp_path / "whole"))
    out = tmp_path / "out"
    for number in (1, 2, 3):
        convert_folder(parts, FakeSetup(out), shard=Shard(number, 3))
    merged = merge_shards([out])
    assert merged.missing == [] and [row["name"] for row in merged.rows] == sorted(told(out))
    assert told(out) == told(tmp_path / "whole") and files(out) == files(tmp_path / "whole")
    assert not list(out.glob("results-*")) and merge_shards([out]).rows == merged.rows
    listener = Listener()
    convert_folder(parts, FakeSetup(out), shard=Shard(2, 3), listener=listener)
    assert listener.fresh == []


def test_shards_on_disks_of_their_own_are_gathered(parts, tmp_path):
    convert_folder(parts, FakeSetup(tmp_path / "whole"))
    for number in (1, 2):
        convert_folder(parts, FakeSetup(tmp_path / str(number)), shard=Shard(number, 2))
    with pytest.raises(UsageError, match="-o"):
        merge_shards([tmp_path / "1", tmp_path / "2"])
    merge_shards([tmp_path / "1", tmp_path / "2"], tmp_path / "all")
    assert told(tmp_path / "all") == told(tmp_path / "whole") and files(tmp_path / "all") == files(tmp_path / "whole")


def test_a_missing_shard_is_named_and_can_come_later(parts, tmp_path):
    out = tmp_path / "out"
    convert_folder(parts, FakeSetup(out), shard=Shard(1, 2))
    assert merge_shards([out]).missing == ["results-2-of-2.jsonl"]
    convert_folder(parts, FakeSetup(out), shard=Shard(2, 2))
    assert merge_shards([out]).missing == [] and len(told(out)) == 12


def test_what_does_not_belong_together_is_not_gathered(parts, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        convert_folder(parts, FakeSetup(tmp_path / name, seed=seed))
    with pytest.raises(UsageError, match="a different result"):
        merge_shards([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    with pytest.raises(UsageError, match="no results.jsonl"):
        merge_shards([parts])
    with open_results_log(tmp_path / "a", Shard(1, 1)), pytest.raises(UsageError, match="another run"):
        merge_shards([tmp_path / "a"])
