"""Measurements of `cadcode batch`: speed, recovery after kills, and a long run with broken and hostile input.

    python tools/bench_batch.py make parts --count 200        meshes of generated parts for the measurements
    python tools/bench_batch.py speed parts --loop 20         parts per minute, against `cadcode generate` in a loop
    python tools/bench_batch.py kill parts --kills 20         kills at random moments: same results as without?
    python tools/bench_batch.py soak --count 1000             memory, orphans, and a reason for every failure
    python tools/bench_batch.py ray parts                     Ray with a killed worker: same results as without?

Options of `generate` and `batch` follow after --. Each command prints its figures as JSON and has exit code 1 on
failure. Linux only (uses /proc).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CADCODE = (sys.executable, "-m", "cadcode")
SPEED_UP = 5.0
LEAK_MB = 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, command in (("make", make), ("speed", speed), ("kill", kill), ("soak", soak), ("ray", on_ray)):
        sub = commands.add_parser(name)
        sub.set_defaults(command=command)
        if name != "soak":
            sub.add_argument("folder", type=Path)
        if name in ("make", "soak"):
            sub.add_argument("--count", type=int, default=dict(make=200, soak=1000)[name])
        sub.add_argument("--workers", type=int, default=os.cpu_count())
        sub.add_argument("--loop", type=int, default=20, help="parts for `generate`")
        sub.add_argument("--kills", type=int, default=20)
        sub.add_argument("--seed", type=int, default=0)
    words, _, options = "\n".join(sys.argv[1:]).partition("\n--\n")
    arguments = parser.parse_args(words.splitlines())
    arguments.options = options.splitlines()
    figures, holds = arguments.command(arguments)
    print(json.dumps(figures, indent=1))
    sys.exit(0 if holds else 1)


def make(arguments) -> tuple[dict, bool]:
    from cadcode.data.dataset import held_out
    from cadcode.program.text.readable import readable
    from cadcode.sandbox.outcome import Solid
    from cadcode.sandbox.sandbox import Sandbox

    arguments.folder.mkdir(parents=True, exist_ok=True)
    made = 0
    with Sandbox() as sandbox:
        for number, sample in enumerate(held_out(arguments.count)):
            outcome = sandbox.run(readable(sample.program), ("stl",))
            if isinstance(outcome, Solid):
                (arguments.folder / f"{number:04}.stl").write_bytes(outcome.exports["stl"])
                made += 1
    return dict(made=made), made > 0


# --- speed -----------------------------------------------------------------------------------------------------------


def speed(arguments) -> tuple[dict, bool]:
    """Speed of the loop on some parts and of the batch on all parts, with the same options, start-up included."""
    from cadcode.geometry.io.load import SUFFIXES

    parts = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    looped = random.Random(arguments.seed).sample(parts, min(arguments.loop, len(parts)))
    with tempfile.TemporaryDirectory() as out:
        started = time.monotonic()
        for part in looped:
            subprocess.run([*CADCODE, "generate", part, "-o", out, "-q", *arguments.options], check=False)
        loop = 60 * len(looped) / (time.monotonic() - started)
    with tempfile.TemporaryDirectory() as out:
        started = time.monotonic()
        subprocess.run(batch_words(arguments, out), check=False)
        assert len(rows(out)) == len(parts), "the batch did not finish"
        batch = 60 * len(parts) / (time.monotonic() - started)
    figures = dict(parts=len(parts), workers=arguments.workers, loop_a_minute=loop, batch_a_minute=batch)
    return figures | dict(ratio=batch / loop, load=os.getloadavg()[0]), batch / loop >= SPEED_UP


def batch_words(arguments, out) -> list[str]:
    words = [*CADCODE, "batch", arguments.folder, "-o", out, "-q", "--workers", arguments.workers, *arguments.options]
    return [str(word) for word in words]


# --- killed ----------------------------------------------------------------------------------------------------------


def kill(arguments) -> tuple[dict, bool]:
    """An undisturbed run, then a run with kills at random moments; both must give the same results."""
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        first = undisturbed(arguments, calm)
        most = 2 * len(rows(calm)) // arguments.kills
        at, killed = [], 0
        for _ in range(arguments.kills):
            process = subprocess.Popen(batch_words(arguments, rough))
            more = chance.randint(0, most)  # results before the kill; 0: kill during start-up
            wait_for(process, rough, len(rows(rough)) + more, chance.uniform(0, 0.5 if more else first))
            killed += process.poll() is None
            process.kill()
            process.wait()
            at.append(len(rows(rough)))
        subprocess.run(batch_words(arguments, rough), check=False)
        same = content(calm) == content(rough) and facts(calm) == facts(rough) != {}
        twice = len(rows(rough)) - len(facts(rough))
        figures = dict(parts=len(facts(calm)), killed=killed, results_at_kills=at, same=same, twice=twice)
    return figures, same and not twice


def undisturbed(arguments, out) -> float:
    """A complete run; returns the seconds to its first result."""
    started, process = time.monotonic(), subprocess.Popen(batch_words(arguments, out))
    while process.poll() is None and not rows(out):
        time.sleep(0.05)
    first = time.monotonic() - started
    process.wait()
    return first


def wait_for(process, out, count: int, seconds: float) -> None:
    """Wait for `count` results and then some `seconds`, or for the end of the process."""
    while process.poll() is None and len(rows(out)) < count:
        time.sleep(0.05)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def on_ray(arguments) -> tuple[dict, bool]:
    """A local run, then a run on Ray on this machine with one worker killed after the first result."""
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        subprocess.run(batch_words(arguments, calm), check=False)
        process = subprocess.Popen([*batch_words(arguments, rough), "--engine", "ray"])
        killed = []
        while process.poll() is None:
            if rows(rough) and not killed:
                killed = [pid for pid in descendants(process.pid) if b"ray::Holder" in command_line(pid)][:1]
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        same = content(calm) == content(rough) and facts(calm) == facts(rough) != {}
        twice = len(rows(rough)) - len(facts(rough))
        figures = dict(parts=len(facts(calm)), killed=len(killed), same=same, twice=twice)
    return figures, same and not twice and len(killed) == 1


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def rows(folder) -> list[dict]:
    """Rows of the complete lines of a results log."""
    path = Path(folder) / "results.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def facts(folder) -> dict[str, dict]:
    """Facts of a row that must be the same in every run."""
    return {row["name"]: {k: v for k, v in row.items() if k not in ("finished", "seconds")} for row in rows(folder)}


def content(folder) -> dict[str, bytes]:
    """Programs, images and views, and incomplete files. STEP files contain the time of writing, so they are skipped."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix in (".py", ".png", ".view")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths} | {
        str(path): b"incomplete" for path in Path(folder).rglob(".cadcode-*")
    }


# --- soak ------------------------------------------------------------------------------------------------------------


def soak(arguments) -> tuple[dict, bool]:
    from hostile_model import hostile_batch

    with tempfile.TemporaryDirectory() as folder:
        parts, out = Path(folder) / "parts", Path(folder) / "out"
        broken = soak_parts(parts, arguments.count, random.Random(arguments.seed))
        memory, stop = [], threading.Event()
        watcher = threading.Thread(target=watch, args=(memory, stop))
        watcher.start()
        done = hostile_batch(parts, out, arguments.workers)
        stop.set()
        watcher.join()
        time.sleep(3)
        orphans = len(descendants(os.getpid())) - 1  # multiprocessing has one for its resources
        unexplained = [row["name"] for row in done.rows.values() if row["status"] != "done" and not row["reason"]]
    tenth = max(1, len(memory) // 10)
    early, late = (sorted(part)[len(part) // 2] for part in (memory[tenth : 2 * tenth + 1], memory[-tenth:]))
    kinds = [row["status"] for row in done.rows.values()]
    figures = dict(
        rows=len(done.rows),
        broken=broken,
        orphans=orphans,
        unexplained=unexplained,
        early_mb=early,
        late_mb=late,
        statuses={kind: kinds.count(kind) for kind in set(kinds)},
    )
    whole = len(done.rows) == arguments.count and kinds.count("unreadable") == broken
    return figures, whole and orphans <= 0 and not unexplained and late - early < LEAK_MB


def soak_parts(folder: Path, count: int, chance: random.Random) -> int:
    """Write boxes of many sizes in folders, one in twenty truncated; returns the number of truncated files."""
    import trimesh

    broken = 0
    for number in range(count):
        path = folder / f"{number % 10}" / f"part {number:04}.stl"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = trimesh.creation.box([chance.uniform(1, 100) for _ in range(3)]).export(file_type="stl")
        cut = number % 20 == 7
        path.write_bytes(data[: chance.randrange(len(data) - 1)] if cut else data)
        broken += cut
    return broken


def watch(memory: list[float], stop: threading.Event) -> None:
    """Sample the memory of this process and its descendants in MB, every second; shared pages count once."""
    while not stop.wait(1.0):
        memory.append(sum(map(own_mb, [os.getpid(), *descendants(os.getpid())])))


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    pids, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        pids += below
        todo += below
    return pids


def own_mb(pid: int) -> float:
    """Proportional set size in MB: programs run in children that share almost all memory with the sandbox worker."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
