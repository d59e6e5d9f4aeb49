"""One session on a GPU: train for the available time, keep checkpoints, export the weights.

    python tools/gpu_session.py --minutes 30 --out /scratch/run --from cadcode/weights/cadcode-small --daemon
    python tools/gpu_session.py --minutes 30 --out /scratch/run --hidden-size 512 --layers 8 --daemon
    python tools/gpu_session.py --minutes 1 --out /tmp/run --device cpu --hidden-size 32 --layers 2 --batch-size 8

Needs numpy, torch, safetensors, tokenizers and huggingface_hub, neither CadQuery nor trimesh nor typer. With --daemon
it goes on when the terminal is closed; session.log in the folder of --out says how far it is. Training runs in its own
process: when that fails it goes on from its last checkpoint, without compiled code. DIR/model gets the final weights in
files of at most 15 MiB. Times are from the start of this script, so that a lease is not overrun.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
SHARD_BYTES = 15 * 2**20
INTERRUPT_SECONDS = 15
LEAST_MINUTES = 0.2  # minimum training time of a restart


def main() -> None:
    started, args = time.monotonic(), arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.daemon:
        detach(args.out / "session.log")
    os.environ.setdefault("OMP_NUM_THREADS", "1" if args.device != "cpu" else str(os.cpu_count()))
    say(f"{args.minutes} minutes from now, process {os.getpid()}")
    if not session(args, started):
        sys.exit("no checkpoint was written; see the error above")
    say("done")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of checkpoints, log and weights; outside the repository"
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="total minutes from now")
    parser.add_argument("--reserve", type=float, default=1.5, help="minutes reserved for start-up and export")
    parser.add_argument("--from", dest="start", type=Path, help="stable.pt or model folder to start from")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--points", default="128,256,256,256,256", help="as of cadcode train")
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--hardness", default="0.4,0.6", help="difficulty of programs at the start and the end")
    parser.add_argument(
        "--decay-share", type=float, default=0.6, help="last share of the minutes, with learning rate decay"
    )
    parser.add_argument("--muon-lr", type=float, default=0.015)
    parser.add_argument("--adam-lr", type=float, default=0.002)
    parser.add_argument("--warmup", type=int, default=300, help="steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--daemon", action="store_true", help="continue in the background")
    return parser.parse_args()


def detach(log: Path) -> None:
    """Detach from the terminal: a new session with output to `log`; the original process prints a line and ends."""
    if child := os.fork():
        print(f"process {child} goes on; tail -f {log}")
        os._exit(0)
    os.setsid()
    sys.stdout.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def session(args: argparse.Namespace, started: float) -> bool:
    """Train, retry after a failure, and export the last checkpoint; returns whether a checkpoint exists."""
    for fuse in (True, False):
        left = args.minutes - args.reserve - (time.monotonic() - started) / 60
        if left < LEAST_MINUTES:
            break
        start = newest(args.out) or args.start
        say(f"training for {left:.1f} minutes, {'compiled' if fuse else 'not compiled'}, from {start}")
        training = multiprocessing.get_context("spawn").Process(target=work, args=(args, left, fuse, start))
        training.start()
        training.join(60 * (left + args.reserve / 2))
        if training.is_alive():
            interrupt(training)
            break
        if training.exitcode == 0:
            break
        say(f"training ended with exit code {training.exitcode}")
    checkpoint = newest(args.out)
    return checkpoint is not None and export(checkpoint, args.out / "model")


def interrupt(training: multiprocessing.Process) -> None:
    """Interrupt a training that started late, with some seconds to write latest.pt."""
    say("training started late and is interrupted")
    os.kill(training.pid, signal.SIGINT)
    training.join(INTERRUPT_SECONDS)
    if training.is_alive():
        training.kill()


def newest(out: Path) -> Path | None:
    found = [path for name in ("final.pt", "latest.pt", "stable.pt") if (path := out / name).is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def work(args: argparse.Namespace, minutes: float, fuse: bool, start: Path | None) -> None:
    """Training in its own process."""
    from cadcode.train.supervised import options_from, train

    counts = tuple(int(count) for count in args.points.split(","))
    hardness = tuple(float(value) for value in args.hardness.split(","))
    options = options_from(
        dict(
            minutes=minutes,
            device=args.device,
            workers=args.workers,
            batch_size=args.batch_size,
            fuse=fuse,
            points=counts,
            points_shares=(1.0,) * len(counts),
            hidden_size=args.hidden_size,
            layers=args.layers,
            heads=max(1, args.hidden_size // 64),
            intermediate_size=3 * args.hidden_size,
            hardness=hardness,
            decay_share=args.decay_share,
            muon_lr=args.muon_lr,
            adam_lr=args.adam_lr,
            warmup_steps=args.warmup,
            seed=args.seed,
        )
    )
    train(options, args.out, start, log=say)
    sys.stdout.flush()
    os._exit(0)  # without waiting for the data workers, which end after this process


def export(checkpoint: Path, folder: Path) -> bool:
    from cadcode.model.checkpoints.load import from_training, save_model

    network, seen = from_training(checkpoint)
    save_model(network, folder, seen, SHARD_BYTES)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2**20
    say(f"{folder}: {checkpoint.name}, {seen.get('samples')} samples, {size:.1f} MiB of weights")
    return True


say = partial(print, flush=True)

if __name__ == "__main__":
    main()
