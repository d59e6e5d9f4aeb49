"""`report.html`: all parts of a batch on one self-contained page, failures first.

Thumbnails are embedded, programs are collapsed, and meshes stay compressed until a part is opened, so that the page can
show a thousand parts.
"""

import base64
import math
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cadcode import __version__
from cadcode.report.highlight import escaped, highlighted
from cadcode.report.histogram import histograms
from cadcode.report.three import three_js
from cadcode.report.view import largest_colour

COLUMNS = (  # title, key in the row's error, decimals or significant digits
    ("IoU", "iou", "{:.3f}"),
    ("mean distance", "chamfer", "{:.3g}"),
    ("largest distance", "max_deviation", "{:.3g}"),
    ("CD x1000", "cd_x1000", "{:.3g}"),
)
PAGE = Path(__file__).parent / "page"
MAX_MESH_CHARACTERS = 60_000_000  # total of one page; the best parts above the limit have thumbnails only


def report_page(rows: list[dict], folder: Path, title: str = "cadcode batch") -> str:
    """HTML page for rows of `results.jsonl`; their files, thumbnails and views are under `folder`."""
    ordered = sorted(rows, key=_worst_first)
    heads = ["input, result", "part", *(name for name, _, _ in COLUMNS), "seconds", "program"]
    views = _views(ordered, Path(folder))
    omitted = sum(bool(row.get("view")) for row in rows) - len(views)
    return _asset("page.html").format(
        title=escaped(title),
        style=_asset("page.css"),
        version=__version__,
        summary=escaped(summary_line(rows)),
        histograms=histograms(rows),
        scripts=_scripts(any(views.values())),
        rows="\n".join(_row(row, Path(folder), views.get(row["name"])) for row in ordered),
        heads="".join(f"<th{_class('text' if i in (1, len(heads) - 1) else '')}>{h}</th>" for i, h in enumerate(heads)),
        remark=f" The {omitted} best parts have only a thumbnail, to limit the size of this page." if omitted else "",
    )


def _asset(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _scripts(with_meshes: bool) -> str:
    library = three_js() if with_meshes else None
    scripts = [*([library] if library else []), _asset("view.js"), _asset("page.js")]
    return "\n".join(f"<script>{script}</script>" for script in scripts)


def _views(ordered: list[dict], folder: Path) -> dict[str, str]:
    """Base64 views by part name, of the first parts up to the page limit; empty if a file is missing."""
    views, capacity = {}, MAX_MESH_CHARACTERS
    for row in ordered:
        if row.get("view"):
            data = _base64(folder, row["view"])
            capacity -= len(data)
            if capacity < 0:
                break
            views[row["name"]] = data
    return views


def _base64(folder: Path, name: str | None) -> str:
    """Content of a file; empty if it does not exist."""
    try:
        return base64.b64encode((folder / name).read_bytes()).decode() if name else ""
    except OSError:
        return ""


def summary_line(rows: list[dict]) -> str:
    """One line with the number of parts, the failures, and the IoU of the others."""
    done = [row for row in rows if row["status"] == "done"]
    ious = [iou for row in done if (iou := (row.get("error") or {}).get("iou")) is not None]
    boxes = sum(row.get("chosen") == "bounding box" for row in done)
    counts = {row["status"]: 0 for row in rows if row["status"] != "done"}
    for row in rows:
        if row["status"] in counts:
            counts[row["status"]] += 1
    facts = [f"{len(done)} of {len(rows)} parts have a program"]
    facts += [f"{boxes} of them only their bounding box"] if boxes else []
    facts += [f"{count} {status}" for status, count in counts.items()]
    facts += [f"IoU mean {np.mean(ious):.3f}, median {np.median(ious):.3f}"] if ious else []
    return "; ".join(facts)


def _worst_first(row: dict) -> tuple:
    """Sort key: failures, then bounding boxes, then by IoU; parts without IoU last."""
    iou = (row.get("error") or {}).get("iou")
    return row["status"] == "done", row.get("chosen") != "bounding box", math.inf if iou is None else iou, row["name"]


def _row(row: dict, folder: Path, view: str | None) -> str:
    error, failed = row.get("error") or {}, row["status"] != "done"
    kind = "failed" if failed else "poor" if row.get("chosen") == "bounding box" else ""
    remark = f"{row['status']}: {row['reason']}" if failed else str(row.get("chosen") or "")
    name, lines = escaped(row["name"]), [remark, _size(row), *(row.get("warnings") or ()), *(row.get("remarks") or ())]
    small = "".join(f"<br><small>{escaped(line)}</small>" for line in lines if line)
    cells = [f"<td>{_opener(_base64(folder, row.get('thumbnail')), view)}</td>"]
    cells += [f'<td class="text" data-value="{name}"><b>{name}</b>{small}</td>']
    cells += [_number(error.get(key), shape) for _, key, shape in COLUMNS]
    cells += [_number(row.get("seconds"), "{:.1f}"), _program(row, folder)]
    facts = f'id="{quote(_encoded(row["name"]))}" data-name="{escaped(row["name"].lower())}"{_largest(row, error)}'
    return f"<tr {facts}{_class(kind)}>{''.join(cells)}</tr>"


def _opener(picture: str, view: str | None) -> str:
    """A button that opens the part, and its compressed view."""
    source = f"data:image/png;base64,{picture}"
    image = f'<img loading="lazy" decoding="async" alt="input, result" src="{source}">' if picture else "open"
    return f'<button title="open">{image}</button>' + (f'<script type="text/plain">{view}</script>' if view else "")


def _largest(row: dict, error: dict) -> str:
    """Attribute with the distance of the last colour, for the legend."""
    if error.get("max_deviation") is None or not row.get("extents"):
        return ""
    return f' data-largest="{largest_colour(error["max_deviation"], row["extents"]):.3g}"'


def _size(row: dict) -> str:
    """The size of the input with its unit."""
    if not row.get("extents"):
        return ""
    return f"{' x '.join(f'{side:.4g}' for side in row['extents'])} {row.get('unit') or '(unit not named)'}"


def _number(value: float | None, shape: str) -> str:
    return "<td></td>" if value is None else f'<td data-value="{value!r}">{shape.format(value)}</td>'


def _program(row: dict, folder: Path) -> str:
    """Links to the files, and the collapsed program."""
    files = row.get("files") or []
    links = " ".join(f'<a href="{quote(_encoded(f))}">{escaped(Path(f).suffix[1:])}</a>' for f in files)
    program = next((folder / name for name in files if name.endswith(".py")), None)
    try:
        text = program.read_text(encoding="utf-8", errors="replace") if program else None
    except OSError:
        text = None
    shown = f"<details><summary>program</summary><pre>{highlighted(text)}</pre></details>" if text else ""
    return f'<td class="text">{links}{shown}</td>'


def _encoded(name: str) -> bytes:
    """Bytes of a file name, also for names that are invalid Unicode."""
    return name.encode("utf-8", "surrogateescape")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
