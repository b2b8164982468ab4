"""What is taken away: the data of a figure as CSV, tables with their provenance, a page as one HTML file. Pure."""

from __future__ import annotations

import csv
import html
import io
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from engine import __version__, escape
from engine.arrays import Array
from engine.escape import unplot
from engine.figures import DARK, RADII, SHARES, Sketch
from engine.figures.base import COUNTS
from engine.figures.settings import Settings, alpha_text, later_label
from engine.figures.vector import Bars, Panel, Plate
from engine.records.meta import Meta
from engine.statistics.bounds import round_radius
from engine.statistics.intervals import NAMES
from engine.tables import Format, Rows, render

NONE = "—"  # where a row has no such number; one that it should have is missing
COMMENT = {Format.CSV: "# ", Format.LATEX: "% "}
REPORT_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"], "responsive": True}
STYLE = """@page{size:A4 landscape;margin:10mm}
body{font:15px/1.5 system-ui,sans-serif;max-width:73rem;margin:2rem auto;padding:0 1rem;color:#1b2430;background:#fff}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:11.5px;line-height:1.35}
td,th{padding:.2rem .35rem;border-bottom:1px solid #dde2e8;text-align:right;vertical-align:bottom}
th:first-child,td:first-child{text-align:left}figure{max-width:62rem;margin:1.5rem 0;break-inside:avoid}
figure.dark>div{background:#10161f;padding:.5rem;border-radius:4px}figcaption{color:#475260;font-size:13px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:#475260}dd{margin:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f5f8;padding:1rem;font-size:12px}
@media print{body{margin:0;padding:0;max-width:none}.wide{overflow:visible}table{font-size:9.5px}
td,th{padding:.1rem .25rem}h2{break-after:avoid}}"""
CAPTIONS = {  # by the figures' names on their pages
    "front": "A line through all thresholds for every composition; diamonds: where each stands at the threshold that "
    "is set; triangles: certification networks alone; squares: core networks; the band: what no composition beats.",
    "theta": "Natural accuracy, certified selection rate and, on the right axis, average certified radius over the "
    "threshold.",
    "accuracy": "Images answered correctly with a certificate that reaches r; at r = 0, answered correctly.",
    "selection": "Images that certainly go to the certification network up to r.",
    "histogram": "Images by the median score of their noisy copies, split by whether the certification network alone "
    "certifies them at r. Those left of the line are selected.",
    "radii": "Certified radius of the selection over the images: positive for the certification network, negative for "
    "the core network, 0 where the selection abstains.",
    "receiver": "Certifiable images that are selected over others that are, for every threshold.",
    "map": "Every image by its median score and its certified radius.",
    "classes": "Natural and certified accuracy of each class, with 95 % intervals over its images.",
    "routing": "How CERTIFY ends on the images of each class.",
    "confusion": "How many images of each class are answered by each class; none: CERTIFY abstains.",
    "reach": "Certified images by their radius.",
    "shares": "Images by the lower bound p_A of their class's share of the noisy votes, at full α.",
    "steps": "ACR at one natural accuracy on held-out images, by step from the paper's certificate; whiskers are 95 % "
    "intervals of the paired differences.",
}
WORDS = {
    "theta": "θ", "theta2": "θ₂", "p0": "p₀", "p02": "p₀ of the second stage", "t2": "t₂", "sigma": "σ",
    "nac": "NAC [%]", "acr": "ACR",
}  # fmt: skip
RATES = {"cert_": "certified accuracy at r {} [%]", "select_": "certified selection rate at r {} [%]"}


def provenance(settings: Settings, images: int, fingerprints: Mapping[str, str], **how: str) -> dict[str, Any]:
    """What a number of the view rests on, as JSON types: settings, runs with their digests, version and time.

    ``how`` it is had again: the ``address`` of the page, or the ``command``.
    """
    return {
        "made_by": f"ACES Explorer {__version__}",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **how,
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
            "radius_digits", "radius_decimals")  # fmt: skip
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


def readable(rows: Rows) -> Rows:
    """A table under names that say what they are, with their units, for people; programs know its columns by others.

    Rates have four decimals at most and ACR six: more tell nothing of so many images.
    """
    return [{_readable(name): _estimate(_readable(name), value) for name, value in row.items()} for row in rows]


def _estimate(name: str, value: Any) -> Any:
    decimals = 4 if name.endswith("[%]") else 6 if name == "ACR" else None
    return round(value, decimals) if isinstance(value, float) and decimals else value


def _readable(name: str) -> str:
    for start, words in RATES.items():
        if name.startswith(start):
            return words.format(name.removeprefix(start))
    return WORDS.get(name, name.replace("_", " "))


def figure_csv(figure: Sketch, origin: Mapping[str, Any]) -> str:
    """The data of every trace of a figure, one row per point: series, x and y under the names of their axes, and t
    where points have a share of votes of their own. NaN is an empty cell; radii round down.
    """
    out = io.StringIO()
    out.writelines(f"# {escape.csv(line)}\n" for line in _lines(origin))
    writer = csv.writer(out, lineterminator="\n")
    with_t = any(SHARES in trace.get("meta", {}) for trace in figure.traces)
    counted = any(COUNTS in trace.get("meta", {}) for trace in figure.traces)
    writer.writerow(["series", *_axes(figure), *(["t"] if with_t else []), *(["images"] if counted else [])])
    for k, trace in enumerate(figure.traces):
        name = escape.csv(
            unplot(trace.get("legendgroup") or trace.get("name") or f"series {k + 1}")
        )  # a legend's is cut
        radii = trace.get("meta", {}).get(RADII, "")
        shares = _shares(trace) if with_t else [[]] * len(trace["x"])
        if counted:
            shares = [[str(place[trace["meta"][COUNTS]])] for place in trace["customdata"]]
        points = zip(trace["x"], trace["y"], shares, strict=True)
        writer.writerows(
            [
                name,
                _named(figure, "x", x) or _cell(x, "x" in radii),
                _named(figure, "y", y) or _cell(y, "y" in radii),
                *t,
            ]
            for x, y, t in points
        )
    return out.getvalue()


def plate_csv(plate: Plate, origin: Mapping[str, Any]) -> str:
    """The same of a figure for print: one row per point with the number of its panel, its series and the axes' names;
    a bar stands at its middle. Radii round down.
    """
    out = io.StringIO()
    out.writelines(f"# {escape.csv(line)}\n" for line in _lines(origin))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["panel", "x axis", "y axis", "series", "x", "y"])
    for k, panel in enumerate(plate.panels):
        about = k + 1, escape.csv(panel.x), escape.csv(panel.y)
        for name, x, y in _series(panel):
            cells = ((_cell(a, "x" in panel.radii), _cell(b, "y" in panel.radii)) for a, b in zip(x, y, strict=True))
            writer.writerows([*about, escape.csv(name), *cell] for cell in cells)
    return out.getvalue()


def _series(panel: Panel) -> Iterator[tuple[str, Array, Array]]:
    for j, part in enumerate(panel.parts):
        name = part.name or f"series {j + 1}"
        if isinstance(part, Bars):
            yield name, (part.edges[:-1] + part.edges[1:]) / 2, part.counts
        else:
            yield name, part.x, part.y


def _named(figure: Sketch, letter: str, value: Any) -> str:
    """What an axis of names calls a value; "" on one of numbers."""
    names = figure.layout.get(f"{letter}axis", {}).get("ticktext")
    return escape.csv(unplot(names[round(value)])) if names else ""


def _axes(figure: Sketch) -> list[str]:
    """What the axes are called; where a figure has two of one kind, their letters, as they share a column."""
    two = any(trace.get("yaxis", "y") != "y" for trace in figure.traces)
    found = []
    for letter in ("x", "y"):
        title = figure.layout.get(f"{letter}axis_title") or {}
        text = "" if two and letter == "y" else unplot(title.get("text") or "")
        found.append(escape.csv(text) or letter)
    return found


def _shares(trace: Mapping[str, Any]) -> list[list[str]]:
    """The column t of one trace, empty where it has none."""
    at = trace.get("meta", {}).get(SHARES)
    return [[""]] * len(trace["x"]) if at is None else [[f"{place[at]:.4g}"] for place in trace["customdata"]]


def _cell(value: Any, is_radius: bool) -> str:
    if isinstance(value, str):
        return escape.csv(unplot(value))
    if value is None or np.isnan(value):
        return ""
    if is_radius:
        return str(round_radius(value))
    # What is stored with some seven digits has no more to tell: 45.4, not 45.4000015.
    return f"{float(value):.{7 if isinstance(value, np.float32) else 9}g}"


def report(
    title: str,
    rows: Rows,
    drawn: Mapping[str, Sketch | str],
    origin: Mapping[str, Any],
    facts: Mapping[str, str] | None = None,
) -> str:
    """One HTML file that needs nothing else: what it is of, the table, figures that can be zoomed, the provenance.

    What is ``drawn`` as an SVG stands as it is. It fits a window of 1280 pixels and, printed, a page across.
    """
    figures = [_figure(k, name, figure) for k, (name, figure) in enumerate(drawn.items())]
    said = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in (facts or {}).items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"{f'<dl>{said}</dl>' if said else ''}{_html_table(rows)}{''.join(figures)}"
        f"<h2>What this rests on</h2><pre>{html.escape(json.dumps(origin, indent=1, ensure_ascii=False))}</pre></html>"
    )


def _figure(k: int, name: str, figure: Sketch | str) -> str:
    """A figure over its caption, on the ground that its colours were chosen for."""
    if isinstance(figure, str):
        drawn = f"data:image/svg+xml;base64,{b64encode(figure.encode()).decode()}"
        caption = html.escape(CAPTIONS.get(name, name))
        return f"<figure><img src='{drawn}' alt='{caption}' width='100%'><figcaption>{caption}</figcaption></figure>"
    made = figure.finish()
    drawn = made.to_html(full_html=False, include_plotlyjs=k == 0, config=REPORT_CONFIG)
    font = made.layout.template.layout.font.color
    dark = " class=dark" if font == DARK.muted else ""
    return f"<figure{dark}>{drawn}<figcaption>Figure {k + 1}. {CAPTIONS.get(name, name)}</figcaption></figure>"


def facts(settings: Settings, images: int) -> dict[str, str]:
    """What a report is of, in words: its networks and terms."""
    choice, run = settings.choice, settings.certify_run
    found = {
        "Certification network": f"{run.name}, σ {run.noise:g}",
        "Core network": settings.core_run.name,
        "Selection": f"{choice.selection}, {settings.symbol} {settings.theta:.3f}"
        + ("" if choice.by_votes else f", share of votes t {settings.t:g}"),
    }
    if choice.then is not None:
        found["Then"] = later_label(choice.then)
    terms = f"α {alpha_text(settings.alpha)}, {settings.correction}, class bounded by its {settings.bound_used}"
    return found | {"Terms": f"{terms}, radius r {settings.radius:.9g}", "Images": f"{images:,} of {run.dataset}"}


def _html_table(rows: Rows) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{_shown(k, v)}</td>' for k, v in row.items())}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _shown(name: str, value: Any) -> str:
    """For people: rates with one decimal and ACR with three, as the paper has them."""
    if value is None:
        return NONE
    if _is_missing(value):
        return "missing"
    if not isinstance(value, float):
        return html.escape(str(value))
    return f"{value:.1f}" if name.endswith("[%]") else f"{value:.3f}" if name == "ACR" else f"{value:.4g}"


def title(settings: Settings) -> str:
    """What a report is called."""
    run, then = settings.certify_run, settings.choice.then
    first = "" if then is None else "first stage "  # the label ends with the second one's threshold
    at = f"{first}{settings.symbol} {settings.theta:.3f}"
    return f"{run.dataset}: {settings.label}, {at}, α {alpha_text(settings.alpha)}"
