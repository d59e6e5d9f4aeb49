"""`cadcode check`: limits for the parts of a folder, and the parts that miss them."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from cadcode.errors import InputError, UsageError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

FILE = "check.toml"
ADVICE = 'write limits as min_iou = 0.9, for single parts below a line such as [parts."flange.step"]'


@dataclass(frozen=True)
class Limits:
    """Limits of a part; None means no limit. The distance is in the units of the part's file."""

    min_iou: float | None = None  # not checked for a part without a volume, such as a cloud
    max_cd: float | None = None  # CD x1000
    max_deviation: float | None = None

    def shortfalls(self, row: dict) -> list[str]:
        """Missed limits of a row of results, one line each."""
        if row["status"] != "done":
            return [f"{row['status']}: {row['reason']}"]
        error = row["error"]
        short = []
        if self.min_iou is not None and not _has_no_volume(error):
            if error["iou"] is None:
                short.append(f"no IoU: {error['iou_reason']}")
            elif error["iou"] < self.min_iou:
                short.append(f"IoU {error['iou']:.4f} is below {self.min_iou:g}")
        for name, key, limit in (
            ("CD x1000", "cd_x1000", self.max_cd),
            ("largest distance", "max_deviation", self.max_deviation),
        ):
            if limit is not None and error[key] > limit:
                short.append(f"{name} {error[key]:.4g} is above {limit:g}")
        return short


@dataclass(frozen=True)
class FolderLimits:
    """General limits, and limits of single parts by name."""

    general: Limits
    parts: dict[str, dict[str, float]]

    def of(self, name: str) -> Limits:
        return replace(self.general, **self.parts.get(name, {}))


@dataclass(frozen=True)
class Verdict:
    """One part: its row of results, its limits, and the missed limits."""

    row: dict
    limits: Limits
    short: tuple[str, ...]

    def as_dict(self) -> dict:
        kept = {key: self.row.get(key) for key in ("name", "status", "reason", "chosen", "error", "seconds")}
        return dict(kept, limits=asdict(self.limits), short=list(self.short))


def read_limits(folder, named: Limits = Limits()) -> FolderLimits:
    """Limits of `folder`/check.toml, if it exists; limits in `named` override its general limits.

    Raises InputError if the file is invalid.
    """
    path = Path(folder) / FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        content = {}
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({' '.join(str(error).split())})", ADVICE) from error
    parts = content.pop("parts", {})
    if not isinstance(parts, dict):
        raise InputError(path, "'parts' is not a table", ADVICE)
    general = {**_checked(content, path), **{name: value for name, value in asdict(named).items() if value is not None}}
    return FolderLimits(Limits(**general), {name: _checked(limits, path) for name, limits in parts.items()})


def judged(rows: dict[str, dict], limits: FolderLimits) -> list[Verdict]:
    """A verdict for each row, by name. UsageError if a part with limits does not exist."""
    if unknown := sorted(set(limits.parts) - set(rows)):
        raise UsageError(f"{FILE} has limits for {unknown[0]}, which is not in the folder; use its relative path")
    verdicts = []
    for name in sorted(rows):
        own = limits.of(name)
        verdicts.append(Verdict(rows[name], own, tuple(own.shortfalls(rows[name]))))
    return verdicts


def as_dict(verdicts: list[Verdict]) -> dict:
    """Plain values for JSON."""
    failed = sum(bool(verdict.short) for verdict in verdicts)
    return dict(parts=[verdict.as_dict() for verdict in verdicts], failed=failed)


def junit_xml(verdicts: list[Verdict], suite: str, printable: Callable[[str], str] = str) -> bytes:
    """JUnit XML with one test case per part; no program is an error, a missed limit is a failure."""
    broken = sum(verdict.row["status"] != "done" for verdict in verdicts)
    failed = sum(bool(verdict.short) for verdict in verdicts) - broken
    seconds = sum(verdict.row.get("seconds") or 0.0 for verdict in verdicts)
    facts = dict(tests=len(verdicts), failures=failed, errors=broken, skipped=0, time=f"{seconds:.3f}")
    root = ElementTree.Element("testsuites")
    cases = ElementTree.SubElement(root, "testsuite", name=printable(suite), **{k: str(v) for k, v in facts.items()})
    for verdict in verdicts:
        _add_case(cases, verdict, printable)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _add_case(cases, verdict: Verdict, printable: Callable[[str], str]) -> None:
    row = verdict.row
    name, time = printable(row["name"]), f"{row.get('seconds') or 0.0:.3f}"
    case = ElementTree.SubElement(cases, "testcase", classname="cadcode.bench.thresholds", name=name, time=time)
    if verdict.short:
        kind = "failure" if row["status"] == "done" else "error"
        ElementTree.SubElement(case, kind, message=printable("; ".join(verdict.short)), type=row["status"])


def _has_no_volume(error: dict) -> bool:
    """Whether the input has no volume, and so no IoU."""
    return error["iou"] is None and str(error["iou_reason"]).startswith("input:")


def _checked(limits, path: Path) -> dict[str, float]:
    known = {field.name for field in fields(Limits)}
    if not isinstance(limits, dict):
        raise InputError(path, f"{limits!r} is not a table of limits", ADVICE)
    for name, value in limits.items():
        if name not in known:
            raise InputError(path, f"'{name}' is not a limit; known: {', '.join(sorted(known))}", ADVICE)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise InputError(path, f"{name} = {value!r} is not a number of at least 0", ADVICE)
    return {name: float(value) for name, value in limits.items()}
