"""`report.html`: all parts of a batch on one page that needs nothing but itself, failures first.

Pictures are small and inside the page, programs are folded away: a thousand parts open at once. No mesh is loaded.
"""

import base64
import html
import io
import keyword
import math
import tokenize
from itertools import accumulate
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cadcode import __version__

COLUMNS = (  # title, key in the row's error, decimals or significant digits
    ("IoU", "iou", "{:.3f}"),
    ("mean distance", "chamfer", "{:.3g}"),
    ("largest distance", "max_deviation", "{:.3g}"),
    ("CD x1000", "cd_x1000", "{:.3g}"),
)
SPANS = {tokenize.NUMBER: "n", tokenize.STRING: "s", tokenize.COMMENT: "c"}
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3em .6em; text-align: right; border-bottom: 1px solid #ddd; vertical-align: middle; }
th { position: sticky; top: 0; background: #f3f3f3; cursor: pointer; white-space: nowrap; }
th[aria-sort=ascending]::after { content: " \\25b2"; } th[aria-sort=descending]::after { content: " \\25bc"; }
td.text, th.text { text-align: left; max-width: 26em; overflow-wrap: anywhere; }
tr.failed { background: #fdeaea; } tr.poor { background: #fff7e0; }
img { display: block; height: 112px; } th:first-child { text-align: left; }
details { text-align: left; } summary { cursor: pointer; }
pre { max-width: 60em; max-height: 30em; overflow: auto; background: #f8f8f8; padding: .6em; font-size: 12px; }
.k { color: #80a; } .n { color: #06c; } .s { color: #080; } .c { color: #777; }
svg { margin: .5em 2em .5em 0; } svg rect { fill: #6a9; } svg text { font-size: 11px; fill: #444; }
input { padding: .3em; width: 20em; }
"""
SCRIPT = """
const body = document.querySelector("tbody"), heads = [...document.querySelectorAll("th")];
heads.forEach((head, column) => head.onclick = () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[column].dataset.value ?? "";
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    return up ? order : -order;
  };
  body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
});
document.querySelector("input").oninput = event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of body.rows) row.hidden = !row.dataset.name.includes(wanted);
};
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{histograms}
<p><input type="search" placeholder="part of a name" aria-label="part of a name"> A click on a heading sorts.
Distances are in the units of each file. cadcode {version}.</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>{script}</script>
</body>
</html>
"""


def report_page(rows: list[dict], folder: Path, title: str = "cadcode batch") -> str:
    """The page for rows of `results.jsonl`, whose files and thumbnails lie under `folder`."""
    ordered = sorted(rows, key=_worst_first)
    heads = ["input, result", "part", *(name for name, _, _ in COLUMNS), "seconds", "program"]
    return PAGE.format(
        title=_text(title), style=STYLE, script=SCRIPT, version=__version__, summary=_text(summary_line(rows)),
        histograms=_histograms(rows), rows="\n".join(_row(row, Path(folder)) for row in ordered),
        heads="".join(f'<th{_class("text" if i in (1, len(heads) - 1) else "")}>{h}</th>' for i, h in enumerate(heads)),
    )  # fmt: skip


def summary_line(rows: list[dict]) -> str:
    """How many parts there are, how many failed and how well the others fit."""
    done = [row for row in rows if row["status"] == "done"]
    ious = [iou for row in done if (iou := (row.get("error") or {}).get("iou")) is not None]
    boxes = sum(row.get("chosen") == "bounding box" for row in done)
    counts = {row["status"]: 0 for row in rows if row["status"] != "done"}
    for row in rows:
        if row["status"] in counts:
            counts[row["status"]] += 1
    said = [f"{len(done)} of {len(rows)} parts have a program"]
    said += [f"{boxes} of them only their bounding box"] if boxes else []
    said += [f"{count} {status}" for status, count in counts.items()]
    said += [f"IoU mean {np.mean(ious):.3f}, median {np.median(ious):.3f}"] if ious else []
    return "; ".join(said)


def highlighted(text: str) -> str:
    """A Python program as HTML, with spans for keywords, numbers, strings and comments; escaped in any case."""
    offsets = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]  # of the first character of each line
    pieces, at = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else SPANS.get(token.type)
            start = offsets[token.start[0] - 1] + token.start[1]
            if kind and text.startswith(token.string, start):
                pieces += [_text(text[at:start]), f'<span class="{kind}">{_text(token.string)}</span>']
                at = start + len(token.string)
    except (tokenize.TokenError, SyntaxError):  # up to there
        pass
    return "".join(pieces) + _text(text[at:])


def _worst_first(row: dict) -> tuple:
    """Failures, then what has only its bounding box, then by IoU; what has none comes last."""
    iou = (row.get("error") or {}).get("iou")
    return row["status"] == "done", row.get("chosen") != "bounding box", math.inf if iou is None else iou, row["name"]


def _row(row: dict, folder: Path) -> str:
    error, failed = row.get("error") or {}, row["status"] != "done"
    kind = "failed" if failed else "poor" if row.get("chosen") == "bounding box" else ""
    remark = f"{row['status']}: {row['reason']}" if failed else str(row.get("chosen") or "")
    cells = [f"<td>{_image(folder, row.get('thumbnail'))}</td>",
             f'<td class="text" data-value="{_text(row["name"])}">{_text(row["name"])}'
             f"<br><small>{_text(remark)}</small></td>"]  # fmt: skip
    cells += [_number(error.get(key), shape) for _, key, shape in COLUMNS]
    cells += [_number(row.get("seconds"), "{:.1f}"), _program(row, folder)]
    return f'<tr data-name="{_text(row["name"].lower())}"{_class(kind)}>{"".join(cells)}</tr>'


def _image(folder: Path, name: str | None) -> str:
    try:
        data = base64.b64encode((folder / name).read_bytes()).decode() if name else ""
    except OSError:
        data = ""
    if not data:
        return ""
    return f'<img loading="lazy" decoding="async" alt="input, result" src="data:image/png;base64,{data}">'


def _number(value: float | None, shape: str) -> str:
    return "<td></td>" if value is None else f'<td data-value="{value!r}">{shape.format(value)}</td>'


def _program(row: dict, folder: Path) -> str:
    """Links to the files, and the program folded away."""
    files = row.get("files") or []
    links = " ".join(f'<a href="{quote(_encoded(f))}">{_text(Path(f).suffix[1:])}</a>' for f in files)
    program = next((folder / name for name in files if name.endswith(".py")), None)
    try:
        text = program.read_text(encoding="utf-8", errors="replace") if program else None
    except OSError:
        text = None
    shown = f"<details><summary>program</summary><pre>{highlighted(text)}</pre></details>" if text else ""
    return f'<td class="text">{links}{shown}</td>'


def _encoded(name: str) -> bytes:
    """As the file system has it, for names that are no Unicode."""
    return name.encode("utf-8", "surrogateescape")


def _histograms(rows: list[dict]) -> str:
    done = [row for row in rows if row["status"] == "done" and row.get("error")]
    ious = [row["error"]["iou"] for row in done if row["error"].get("iou") is not None]
    shares = [row["error"]["max_deviation"] / max(row["extents"]) for row in done
              if row["error"].get("max_deviation") is not None and max(row.get("extents") or [0]) > 0]  # fmt: skip
    edges = np.arange(21) / 20
    powers = np.array([0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, math.inf])
    labels = ["0.01 %", "0.03 %", "0.1 %", "0.3 %", "1 %", "3 %", "10 %", "30 %", "more"]
    return _bars("IoU", ious, edges, [f"{edge:.2f}" for edge in edges[:-1]], every=4) + _bars(
        "largest distance, up to which share of the longest side", shares, powers, labels, every=1
    )


def _bars(title: str, values: list[float], edges: np.ndarray, labels: list[str], every: int) -> str:
    """A histogram as SVG; empty without values. Values beyond the edges count in the outermost bars."""
    if not values:
        return ""
    last = np.nextafter(edges[-1], edges[0]) if np.isfinite(edges[-1]) else edges[-1]
    counts, _ = np.histogram(np.clip(values, edges[0], last), edges)
    width, wide, high = 480, 480 / len(counts), 110
    bars = []
    for i, (count, label) in enumerate(zip(counts, labels, strict=True)):
        tall = high * count / counts.max()
        x, y = i * wide, high + 20 - tall
        bars.append(f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{tall:.1f}">'
                    f"<title>{_text(label)}: {count}</title></rect>")  # fmt: skip
        if i % every == 0:
            bars.append(f'<text x="{x + 1:.1f}" y="{high + 34}">{_text(label)}</text>')
    return (f'<svg width="{width}" height="{high + 40}" role="img" aria-label="{_text(title)}">'
            f'<text x="0" y="12">{_text(title)}</text>{"".join(bars)}</svg>')  # fmt: skip


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _text(text) -> str:
    """Escaped, and without what no page can hold (halves of surrogates, from names that are no Unicode)."""
    return html.escape(str(text).encode("utf-8", "replace").decode())
