"""What is taken away: the data of a figure as CSV, tables with their provenance, a page as one HTML file. Pure."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.escape import unplot
from app.figures import RADII, SHARES, Sketch
from app.settings import Settings, alpha_text
from engine import __version__, escape
from engine.records.runs import Meta
from engine.statistics.bounds import round_radius
from engine.statistics.intervals import NAMES
from engine.tables import Format, Rows, render

NONE = "—"  # where a row has no such number; one that it should have is missing
COMMENT = {Format.CSV: "# ", Format.LATEX: "% "}
REPORT_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"], "responsive": True}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1b2430}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #dde2e8;text-align:right}
th:first-child,td:first-child{text-align:left}pre{white-space:pre-wrap;background:#f3f5f8;padding:1rem}"""


def provenance(settings: Settings, images: int, fingerprints: Mapping[str, str], address: str) -> dict[str, Any]:
    """What a number of the view rests on, as JSON types: settings, runs with their digests, version and time."""
    return {
        "made_by": f"ACES Explorer {__version__}",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "address": address,
        **_selected(settings),
        "alpha": settings.alpha,
        "correction": str(settings.correction),
        "bound": str(settings.bound_used),
        "convention": str(settings.convention),
        "radius": settings.radius,
        "images": images,
        "intervals": f"95 % over the images: {NAMES}",
        "runs": [_run(run, fingerprints[name]) for name, run in settings.runs.items()],
    }


def _selected(settings: Settings) -> dict[str, Any]:
    """By which threshold and share of the votes, in every stage."""
    choice = settings.choice
    first = {"p0": settings.theta} if choice.by_votes else {"theta": settings.theta, "votes": settings.t}
    later = choice.then
    if later is None:
        return first
    at = {"p0": later.theta} if later.by_votes else {"theta": later.theta, "votes": later.t}
    return {**first, "then": {"run": later.run.name, **at}}


def _run(run: Meta, digest: str) -> dict[str, Any]:
    keys = ("name", "kind", "dataset", "split", "sigma", "n0", "n", "n_decided", "seed", "precision", "mechanism",
            "radius_digits")  # fmt: skip
    facts = {key: getattr(run, key) for key in keys if getattr(run, key) is not None}
    network = {k: v for k, v in vars(run.network).items() if v is not None}
    return {**facts, "content_sha256": digest, **({"network": network} if network else {})}


def table(rows: Rows, form: Format, origin: Mapping[str, Any]) -> str:
    """A table in ``form`` with its provenance: in front as comments, in JSON beside the rows. NaN is an empty cell."""
    if form is Format.JSON:
        return json.dumps({"provenance": origin, "rows": [_without_missing(row) for row in rows]}, indent=1) + "\n"
    head = "".join(f"{COMMENT[form]}{escape.csv(line) if form is Format.CSV else line}\n" for line in _lines(origin))
    return head + (render([_blank_missing(row) for row in rows], form) if rows else "")


def _lines(origin: Mapping[str, Any]) -> list[str]:
    texts = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in origin.items()}
    plain = [escape.terminal(f"{key}: {value}") for key, value in texts.items() if key != "runs"]
    return [*plain, *(f"run: {json.dumps(run)}" for run in origin["runs"])]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def _without_missing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if _is_missing(value) else _plain(value) for key, value in row.items()}


def _blank_missing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: "" if _is_missing(value) else value for key, value in row.items()}


def _plain(value: Any) -> Any:
    """A value as JSON knows it; a Decimal, as rounded-down radii are, becomes the nearest float."""
    return value if isinstance(value, str | int | float | bool) or value is None else float(value)


def figure_csv(figure: Sketch, origin: Mapping[str, Any]) -> str:
    """The data of every trace of a figure, one row per point: series, x, y, and t where points have a share of
    votes of their own. NaN is an empty cell; radii round down.
    """
    out = io.StringIO()
    out.writelines(f"# {escape.csv(line)}\n" for line in _lines(origin))
    writer = csv.writer(out, lineterminator="\n")
    with_t = any(SHARES in trace.get("meta", {}) for trace in figure.traces)
    writer.writerow(["series", "x", "y", *(["t"] if with_t else [])])
    for k, trace in enumerate(figure.traces):
        name = escape.csv(
            unplot(trace.get("legendgroup") or trace.get("name") or f"series {k + 1}")
        )  # a legend's is cut
        radii = trace.get("meta", {}).get(RADII, "")
        shares = _shares(trace) if with_t else [[]] * len(trace["x"])
        points = zip(trace["x"], trace["y"], shares, strict=True)
        writer.writerows([name, _cell(x, "x" in radii), _cell(y, "y" in radii), *t] for x, y, t in points)
    return out.getvalue()


def _shares(trace: Mapping[str, Any]) -> list[list[str]]:
    """The column t of one trace, empty where it has none."""
    at = trace.get("meta", {}).get(SHARES)
    return [[""]] * len(trace["x"]) if at is None else [[f"{place[at]:.4g}"] for place in trace["customdata"]]


def _cell(value: Any, is_radius: bool) -> str:
    if isinstance(value, str):
        return escape.csv(unplot(value))
    if value is None or np.isnan(value):
        return ""
    return str(round_radius(value)) if is_radius else f"{float(value):.9g}"


def report(title: str, rows: Rows, drawn: Mapping[str, Sketch], origin: Mapping[str, Any]) -> str:
    """One HTML file that needs nothing else: figures that can be zoomed, the table, the provenance."""
    parts = [
        figure.finish().to_html(full_html=False, include_plotlyjs=k == 0, config=REPORT_CONFIG)
        for k, figure in enumerate(drawn.values())
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"{_html_table(rows)}{''.join(parts)}"
        f"<h2>What this rests on</h2><pre>{html.escape(json.dumps(origin, indent=1, ensure_ascii=False))}</pre></html>"
    )


def _html_table(rows: Rows) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{_shown(v)}</td>' for v in row.values())}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: Any) -> str:
    if value is None:
        return NONE
    if _is_missing(value):
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))


def title(settings: Settings) -> str:
    """What a report is called."""
    run, then = settings.certify_run, settings.choice.then
    first = "" if then is None else "first stage "  # the label ends with the second one's threshold
    at = f"{first}{settings.symbol} {settings.theta:.3f}"
    return f"{run.dataset}: {settings.label}, {at}, α {alpha_text(settings.alpha)}"
