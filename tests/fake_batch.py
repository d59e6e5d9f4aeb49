"""A batch of text files that say what becomes of them: light enough to be killed and started many times."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from cadcode.batch.plan import Part, Shard, plan
from cadcode.batch.pool import Pool
from cadcode.batch.results_log import DONE, NO_PROGRAM, open_results_log, sha256_of
from cadcode.batch.run import clear, run
from cadcode.batch.setup import row
from cadcode.errors import ModelError
from cadcode.report.files import write_files

WHOLE = Shard(1, 1)
PIDS = ".pids"  # a folder with an empty file for each worker


@dataclass(frozen=True)
class FakeSetup:
    output: Path
    seed: int = 0
    settings: str = "fake"
    pause: float = 0.0  # seconds a part takes
    starts: bool = True
    device: str = "cpu"
    debug: bool = False

    @property
    def options(self):
        return SimpleNamespace(decoding=SimpleNamespace(seed=self.seed))


@contextmanager
def converter(setup: FakeSetup) -> Iterator:
    if not setup.starts:
        raise ModelError("nowhere: no such model")
    (setup.output / PIDS).mkdir(exist_ok=True)
    (setup.output / PIDS / str(os.getpid())).touch()
    yield partial(convert, setup=setup)


def convert(part: Part, setup: FakeSetup) -> dict:
    """Writes the part's text and its seed, unless the text says something else."""
    text = part.path.read_text()
    time.sleep(setup.pause)
    if text.startswith("exit"):
        died = setup.output / f".died-{part.path.name}"
        if "always" in text or not died.exists():
            died.touch()
            os._exit(3)
    if text.startswith("bug"):
        raise ZeroDivisionError("a bug")
    if text.startswith("fail"):
        return row(part, setup, NO_PROGRAM, "no valid program", sha256=sha256_of(part.path))
    seed = part.seed(setup.seed)
    contents = {f"{Path(part.stem).name}.{suffix}": f"{text} {seed}".encode() for suffix in ("py", "json")}
    written = write_files((setup.output / part.stem).parent, contents)
    files = [path.relative_to(setup.output).as_posix() for path in written]
    view = Path(".report") / f"{part.stem}.view"
    write_files((setup.output / view).parent, {view.name: f"{text} {seed}".encode()})
    return row(part, setup, DONE, sha256=sha256_of(part.path), files=files, view=view.as_posix(), error={"iou": 0.5})


def make_parts(folder: Path) -> Path:
    """Twelve parts, of which one fails."""
    for i in range(12):
        (folder / f"{i % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"{i % 3}/part {i}.stl").write_text("fail" if i == 5 else f"text {i}")
    return folder


def told(folder: Path) -> dict[str, dict]:
    """The rows of results.jsonl without what differs from run to run; each name must be there once, in whole lines."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: {key: value for key, value in row.items() if key != "finished"} for row in rows}


def files(folder: Path) -> dict[str, bytes]:
    """The results' files; nothing half written may lie about."""
    assert not list(folder.rglob(".cadcode-*"))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".py", ".json", ".view")
    }


def living_workers(folder: Path) -> list[int]:
    """Of the workers that ever worked for a folder, those that live."""
    living = []
    for pid in (int(path.name) for path in (folder / PIDS).iterdir()):
        try:
            os.kill(pid, 0)
            living.append(pid)
        except ProcessLookupError:
            continue
    return living


class Listener:
    """Records its calls."""

    def __init__(self):
        self.fresh, self.old, self.unfinished = [], [], None

    def on_start(self, todo, done):
        self.todo, self.done = todo, done

    def on_row(self, row, fresh):
        (self.fresh if fresh else self.old).append(row["name"])

    def on_stop(self, unfinished):
        self.unfinished = unfinished


def convert_folder(folder, setup: FakeSetup, workers=1, shard=WHOLE, resume=True, listener=None, pool=Pool):
    parts = plan(folder, setup.output, ("py", "json"), shard)
    with open_results_log(setup.output, shard) as log:
        clear(setup.output, shard)
        return run(parts, setup, log, pool(converter, setup, workers), resume, listener or Listener())


if __name__ == "__main__":
    source, target, pause = sys.argv[1:]
    done = convert_folder(Path(source), FakeSetup(Path(target), pause=float(pause)), workers=2)
    print(len(done.rows), done.interrupted)
