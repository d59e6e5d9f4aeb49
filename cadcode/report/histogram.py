"""Error histograms as SVG."""

import math

import numpy as np

from cadcode.report.highlight import escaped


def histograms(rows: list[dict]) -> str:
    """SVG histograms of IoU, and of the largest distance relative to the size of the part."""
    done = [row for row in rows if row["status"] == "done" and row.get("error")]
    ious = [row["error"]["iou"] for row in done if row["error"].get("iou") is not None]
    shares = [
        row["error"]["max_deviation"] / max(row["extents"])
        for row in done
        if row["error"].get("max_deviation") is not None and max(row.get("extents") or [0]) > 0
    ]
    edges = np.arange(21) / 20
    powers = np.array([0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, math.inf])
    labels = ["0.01 %", "0.03 %", "0.1 %", "0.3 %", "1 %", "3 %", "10 %", "30 %", "more"]
    return _bars("IoU", ious, edges, [f"{edge:.2f}" for edge in edges[:-1]], every=4) + _bars(
        "largest distance as a share of the longest side (upper bounds)", shares, powers, labels, every=1
    )


def _bars(title: str, values: list[float], edges: np.ndarray, labels: list[str], every: int) -> str:
    """A histogram as SVG, empty without values. Values outside the edges count in the outermost bars."""
    if not values:
        return ""
    last = np.nextafter(edges[-1], edges[0]) if np.isfinite(edges[-1]) else edges[-1]
    counts, _ = np.histogram(np.clip(values, edges[0], last), edges)
    width, step, height = 480, 480 / len(counts), 110
    bars = []
    for i, (count, label) in enumerate(zip(counts, labels, strict=True)):
        bar = height * count / counts.max()
        x, y = i * step, height + 20 - bar
        bars.append(
            f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{step - 2:.1f}" height="{bar:.1f}">'
            f"<title>{escaped(label)}: {count}</title></rect>"
        )
        if i % every == 0:
            bars.append(f'<text x="{x + 1:.1f}" y="{height + 34}">{escaped(label)}</text>')
    return (
        f'<svg width="{width}" height="{height + 40}" role="img" aria-label="{escaped(title)}">'
        f'<text x="0" y="12">{escaped(title)}</text>{"".join(bars)}</svg>'
    )
