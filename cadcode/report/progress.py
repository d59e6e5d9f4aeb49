"""Progress of a batch on stderr: a bar in a terminal, else one line per part."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

DONE = "done"


class BatchProgress:
    """Listener of a batch, used as a context manager; `forward` is called with every row."""

    def __init__(self, console: Console, printable=str, forward=lambda row: None):
        self._printable, self._forward = printable, forward
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=console,
            disable=not console.is_terminal or console.quiet,
        )
        self._task = self._bar.add_task("parts", total=None, rate="", failed="")
        self._total = self._count = self._failed = 0
        self._started = time.monotonic()

    def __enter__(self) -> "BatchProgress":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def on_start(self, todo: int, done: int) -> None:
        self._total, self._started = todo, time.monotonic()
        self._bar.update(self._task, total=todo)
        if done:
            self._line(f"{done} parts done in earlier runs, {todo} to do")

    def on_row(self, row: dict, fresh: bool) -> None:
        """Show a finished part; a part of an earlier run is shown only if it failed."""
        self._forward(row)
        if fresh:
            self._count += 1
            self._failed += row["status"] != DONE
        if row["status"] != DONE:
            self._error(f"{row['name']}: {row['reason']}")
        elif fresh and self._bar.disable:
            self._line(f"{self._count:>{len(str(self._total))}}/{self._total}  {row_line(row)}")
        per_minute = 60 * self._count / max(time.monotonic() - self._started, 1e-9)
        failed = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, completed=self._count, rate=f"{per_minute:.1f} a minute", failed=failed)

    def on_stop(self, unfinished: int) -> None:
        self._line(f"stopping after the {unfinished} parts in progress; press Ctrl-C again to stop now")

    def _line(self, text: str) -> None:
        self._bar.console.print(self._printable(text), markup=False, highlight=False, soft_wrap=True)

    def _error(self, text: str) -> None:
        """Print an error, also with --quiet; above the bar, which redirects stderr."""
        print(f"cadcode: error: {self._printable(text)}", file=sys.stderr)


def row_line(row: dict) -> str:
    """One line for a finished part: its name, IoU and distance."""
    error = row.get("error") or {}
    facts = [f"IoU {error['iou']:.3f}"] if error.get("iou") is not None else []
    facts += [f"largest distance {error['max_deviation']:.4g}"] if error.get("max_deviation") is not None else []
    facts += [f"{row['seconds']:.1f} s"] if row.get("seconds") is not None else []
    facts += [*(row.get("warnings") or ()), *(row.get("remarks") or ())]
    return f"{row['name']}: {', '.join(facts)}"
