"""Nothing is lost: what is done stays done, what is not is done later, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_batch import PIDS, FakeSetup, Listener, convert_folder, files, living_workers, make_parts, told

from cadcode.batch.plan import Part, Shard
from cadcode.batch.results_log import ResultsLog, open_results_log, read_rows
from cadcode.errors import CadcodeError, OutputError, UsageError

HERE = Path(__file__).parents[1]
WHOLE = Shard(1, 1)


@pytest.fixture
def parts(tmp_path):
    return make_parts(tmp_path / "parts")


# --- one run after another -------------------------------------------------------------------------------------------


def test_results_depend_on_neither_workers_nor_company(parts, tmp_path):
    done = [convert_folder(parts, FakeSetup(tmp_path / name), workers) for name, workers in (("a", 1), ("b", 3))]
    assert [set(batch.rows) for batch in done] == [set(told(tmp_path / "a"))] * 2 and len(done[0].rows) == 12
    assert told(tmp_path / "a") == told(tmp_path / "b") and files(tmp_path / "a") == files(tmp_path / "b")
    assert done[0].exit_code == 1 and not done[0].interrupted
    for path in parts.rglob("part 1?.stl"):
        path.unlink()
    convert_folder(parts, FakeSetup(tmp_path / "few"))
    assert len(told(tmp_path / "few")) == 10
    assert all(told(tmp_path / "a")[name] == row for name, row in told(tmp_path / "few").items())


def test_another_seed_is_another_result(parts, tmp_path):
    for seed in (0, 1):
        convert_folder(parts, FakeSetup(tmp_path / str(seed), seed=seed))
    first, other = (files(tmp_path / str(seed)) for seed in (0, 1))
    assert first.keys() == other.keys() and all(first[name] != other[name] for name in first)


def test_what_is_done_is_not_done_again(parts, tmp_path):
    setup = FakeSetup(tmp_path / "out")
    before = convert_folder(parts, setup)
    listener = Listener()
    after = convert_folder(parts, setup, listener=listener)
    assert listener.fresh == [] and sorted(listener.old) == sorted(before.rows) and listener.done == 12
    assert after.rows == before.rows and after.exit_code == before.exit_code


def test_what_has_changed_is_done_again(parts, tmp_path):
    setup = FakeSetup(tmp_path / "out")
    convert_folder(parts, setup)
    (parts / "0/part 0.stl").write_text("another text")
    (parts / "1/new.stl").write_text("new")
    (tmp_path / "out/2/part 2.py").unlink()
    listener = Listener()
    convert_folder(parts, setup, listener=listener)
    assert sorted(listener.fresh) == ["0/part 0.stl", "1/new.stl", "2/part 2.stl"]
    assert len(told(tmp_path / "out")) == 13 and b"another" in files(tmp_path / "out")["0/part 0.py"]


@pytest.mark.parametrize("change", [dict(settings="other"), dict(resume=False)], ids=["settings", "no resume"])
def test_other_settings_do_all_again(parts, tmp_path, change):
    convert_folder(parts, FakeSetup(tmp_path / "out"))
    listener, resume = Listener(), change.pop("resume", True)
    convert_folder(parts, FakeSetup(tmp_path / "out", **change), resume=resume, listener=listener)
    assert len(listener.fresh) == 12 and len(told(tmp_path / "out")) == 12


def test_results_of_parts_that_are_gone_stay(parts, tmp_path):
    convert_folder(parts, FakeSetup(tmp_path / "out"))
    (parts / "0/part 0.stl").unlink()
    done = convert_folder(parts, FakeSetup(tmp_path / "out"))
    assert len(done.rows) == 11 and len(told(tmp_path / "out")) == 12


def test_a_duplicate_is_a_row_each_time(parts, tmp_path):
    for name in ("0/part 0.obj", "0/part 0.stl.ply"):
        (parts / name).write_text("x")
    for _ in range(2):
        done = convert_folder(parts, FakeSetup(tmp_path / "out"))
        assert done.rows["0/part 0.stl.ply"]["status"] == "duplicate" and done.exit_code == 2
    assert len(told(tmp_path / "out")) == 14


# --- workers that die ------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_takes_nothing_with_it(parts, tmp_path):
    (parts / "0/part 0.stl").write_text("exit once")
    (parts / "0/part 3.stl").write_text("exit always")
    (parts / "0/part 6.stl").write_text("bug")
    done = convert_folder(parts, FakeSetup(tmp_path / "out"), workers=2)
    rows = told(tmp_path / "out")
    assert len(rows) == 12 and rows["0/part 0.stl"]["status"] == "done"
    assert rows["0/part 3.stl"]["status"] == rows["0/part 6.stl"]["status"] == "crashed"
    assert "exit code 3" in rows["0/part 3.stl"]["reason"] and "ZeroDivisionError" in rows["0/part 6.stl"]["reason"]
    assert done.exit_code == 1 and not living_workers(tmp_path / "out")
    listener = Listener()
    convert_folder(parts, FakeSetup(tmp_path / "out"), listener=listener)
    assert sorted(listener.fresh) == ["0/part 3.stl", "0/part 6.stl"]


def test_workers_that_do_not_start_end_the_batch(parts, tmp_path):
    with pytest.raises(CadcodeError, match="nowhere: no such model"):
        convert_folder(parts, FakeSetup(tmp_path / "out", starts=False), workers=2)


# --- killed ----------------------------------------------------------------------------------------------------------


def start(parts: Path, out: Path, pause: float) -> subprocess.Popen:
    words = [sys.executable, str(HERE / "fake_batch.py"), str(parts), str(out), str(pause)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)


def wait_for(condition, process: subprocess.Popen | None = None) -> None:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end and (process is None or process.poll() is None):
        time.sleep(0.005)
    assert condition()


def lines(folder: Path) -> int:
    path = folder / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_and_started_again_it_ends_with_the_same_results(parts, tmp_path):
    convert_folder(parts, FakeSetup(tmp_path / "calm"))
    out = tmp_path / "out"
    for least in (0, 3, 7):
        process = start(parts, out, 0.08)
        wait_for(lambda: lines(out) >= least and (least or (out / PIDS).exists()), process)  # noqa: B023
        process.kill()
        process.wait()
        assert lines(out) < 12
        wait_for(lambda: not living_workers(out))
    with open(out / "results.jsonl", "ab") as file:
        file.write(b'{"name": "0/part 0.stl", "sta')
    (out / "0").mkdir(exist_ok=True)
    (out / "0/.cadcode-1-1").write_text("half")
    done = convert_folder(parts, FakeSetup(out))
    assert told(out) == told(tmp_path / "calm") and files(out) == files(tmp_path / "calm")
    assert len(done.rows) == 12


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_an_interrupt_finishes_the_parts_in_hand(parts, tmp_path):
    out = tmp_path / "out"
    process = start(parts, out, 0.2)
    wait_for(lambda: lines(out) >= 1, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    count, interrupted = said.split()
    assert process.returncode == 0 and interrupted == "True" and 1 <= int(count) == len(told(out)) < 12
    assert not living_workers(out) and len(files(out)) == 3 * sum("files" in row for row in told(out).values())
    assert len(convert_folder(parts, FakeSetup(out)).rows) == 12


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_second_interrupt_ends_at_once(parts, tmp_path):
    out = tmp_path / "out"
    process = start(parts, out, 60)
    wait_for(lambda: (out / PIDS).exists() and len(list((out / PIDS).iterdir())) == 2, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0 and not living_workers(out) and told(out) == {}


# --- the list --------------------------------------------------------------------------------------------------------


def test_lines_that_are_not_whole_are_left_out(tmp_path):
    whole = '{"name": "a", "status": "done"}\n'
    for broken in ('{"name": "b"', "[]\n", '{"status": "done"}\n', "\x00\x00\n", '"a"', ""):
        (tmp_path / "results.jsonl").write_text(whole + broken)
        assert list(read_rows([tmp_path / "results.jsonl"])) == ["a"]
        with open_results_log(tmp_path, WHOLE) as log:
            log.begin([])
            log.append({"name": "c"})
        assert (tmp_path / "results.jsonl").read_text().splitlines() == [whole.strip(), '{"name": "c"}']


def test_of_two_rows_the_later_one_counts(tmp_path):
    later, earlier = ({"name": "a", "finished": f"2026-01-0{day}", "day": day} for day in (2, 1))
    (tmp_path / "results.jsonl").write_text(json.dumps(later) + "\n")
    (tmp_path / "results-1-of-2.jsonl").write_text(json.dumps(earlier) + "\n")
    assert ResultsLog(tmp_path, WHOLE).rows()["a"]["day"] == 2


@pytest.mark.skipif(os.name == "nt", reason="no locks")
def test_two_runs_do_not_write_to_one_list(tmp_path):
    with open_results_log(tmp_path, WHOLE), open_results_log(tmp_path, Shard(1, 2)):
        with pytest.raises(UsageError, match="another run"), open_results_log(tmp_path, WHOLE):
            pass
    with open_results_log(tmp_path, WHOLE):
        pass


def test_a_list_that_cannot_be_written_ends_the_batch(parts, tmp_path, monkeypatch):
    def full(log, row):
        raise OutputError(log.path, OSError(28, "No space left on device"))

    monkeypatch.setattr(ResultsLog, "append", full)
    with pytest.raises(OutputError, match="No space left"):
        convert_folder(parts, FakeSetup(tmp_path / "out"))
    assert not living_workers(tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said(tmp_path):
    log = ResultsLog(tmp_path, WHOLE)
    log._file = open("/dev/full", "w")
    with pytest.raises(OutputError, match="No space left"):
        log.append({"name": "a"})


def test_a_row_counts_only_for_its_file_and_settings(tmp_path):
    part = Part(tmp_path / "a.stl", "a.stl")
    part.path.write_text("text")
    done = convert_folder(tmp_path, FakeSetup(tmp_path / "out")).rows["a.stl"]

    def counts(row, settings="fake") -> bool:
        (tmp_path / "out/results.jsonl").write_text(json.dumps(row) + "\n")
        return ResultsLog(tmp_path / "out", WHOLE).finished(part, settings) is not None

    assert counts(done) and not counts(done, "other")
    assert not counts(done | {"sha256": "0"}) and not counts(done | {"sha256": None})
    assert not counts(done | {"status": "crashed"}) and not counts(done | {"files": ["lost.py"]})
    part.path.unlink()
    assert not counts(done)
