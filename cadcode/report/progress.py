"""How far a batch is: a bar where somebody watches, a line a part elsewhere. On stderr."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

DONE = "done"


class BatchProgress:
    """Use it as a context; `starts`, `has` and `stops` are called by the batch. `tell` gets every row as well."""

    def __init__(self, console: Console, printable=str, tell=lambda row: None):
        self._printable, self._tell = printable, tell
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

    def starts(self, todo: int, done: int) -> None:
        self._total, self._started = todo, time.monotonic()
        self._bar.update(self._task, total=todo)
        if done:
            self._line(f"{done} parts were done before, {todo} to do")

    def has(self, row: dict, fresh: bool) -> None:
        """One more part; one from an earlier run only where it failed."""
        self._tell(row)
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

    def stops(self, in_hand: int) -> None:
        self._line(f"stopping: waiting for the {in_hand} in hand; Ctrl-C again ends at once")

    def _line(self, text: str) -> None:
        self._bar.console.print(self._printable(text), markup=False, highlight=False, soft_wrap=True)

    def _error(self, text: str) -> None:
        """Also with --quiet; above the bar where there is one (it catches what goes to stderr)."""
        print(f"cadcode: error: {self._printable(text)}", file=sys.stderr)


def row_line(row: dict) -> str:
    """A part that is done in one line: its name, IoU and distance."""
    error = row.get("error") or {}
    facts = [f"IoU {error['iou']:.3f}"] if error.get("iou") is not None else []
    facts += [f"largest distance {error['max_deviation']:.4g}"] if error.get("max_deviation") is not None else []
    facts += [f"{row['seconds']:.1f} s"] if row.get("seconds") is not None else []
    facts += [*(row.get("warnings") or ()), *(row.get("remarks") or ())]
    return f"{row['name']}: {', '.join(facts)}"
