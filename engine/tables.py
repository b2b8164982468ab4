"""Metrics -> the tables people read: one row per threshold or one row per image, as csv, json, latex or markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from engine import escape
from engine.arrays import Array
from engine.statistics.aces import Certificates, Outcome
from engine.statistics.bounds import round_down
from engine.statistics.by_class import ByClass, ClassRates
from engine.statistics.metrics import Metrics, Standalone


class Format(StrEnum):
    """How a table is printed."""

    CSV = "csv"
    JSON = "json"
    LATEX = "latex"
    MARKDOWN = "markdown"


Rows = list[dict[str, Any]]
OUTCOMES = frozenset(outcome.label for outcome in Outcome)  # columns of tables by class, in percent
SCORE_MEDIAN = "entropy_median"  # the column's name is a contract; a selection network's scores stand there as well


def metric_rows(metrics: Metrics, radius_names: Sequence[str], threshold: str = "theta") -> Rows:
    """One row per threshold: theta, nac, acr, then cert_R and select_R for every radius, named as the user wrote it.

    ``threshold`` names the first column: ``p0`` where the votes for the class select.
    """
    return [
        {
            threshold: float(metrics.thetas[t]),
            "nac": float(metrics.nac[t]),
            "acr": float(metrics.acr[t]),
            **{f"cert_{r}": float(metrics.certified_accuracy[t, j]) for j, r in enumerate(radius_names)},
            **{f"select_{r}": float(metrics.certified_selection[t, j]) for j, r in enumerate(radius_names)},
        }
        for t in range(len(metrics.thetas))
    ]


def class_rows(found: ByClass, names: Sequence[str], radius_names: Sequence[str]) -> Rows:
    """One row a class: its number and name, how many ``images`` it has, then NAC, certified accuracy at each radius and
    how CERTIFY ends, in percent of them; accuracies with the ends of their 95 % intervals.
    """
    rows: Rows = []
    for k, label in enumerate(found.label.tolist()):
        row: dict[str, Any] = {"class": label, "name": names[label], "images": int(found.images[k])}
        row |= _with_ends("nac", found.natural, (k,)) | {"acr": float(found.acr[k])}
        for j, name in enumerate(radius_names):
            row |= _with_ends(f"cert_{name}", found.certified, (k, j))
        rows.append(row | {outcome.label: float(found.outcomes.value[k, outcome]) for outcome in Outcome})
    return rows


def _with_ends(name: str, rates: ClassRates, at: tuple[int, ...]) -> dict[str, float]:
    return {
        f"{name}{end}": float(part[at]) for end, part in (("", rates.value), ("_low", rates.low), ("_high", rates.high))
    }


def confusion_rows(found: ByClass, names: Sequence[str]) -> Rows:
    """One row a class: how many of its images are answered by each class, and by none."""
    answers = [*names[: found.confusion.shape[1] - 1], "none"]
    alike = len(set(answers)) < len(answers)
    columns = [f"{k} {name}" for k, name in enumerate(answers)] if alike else answers
    return [
        {"class": label, "name": names[label], **dict(zip(columns, counts, strict=True))}
        for label, counts in zip(found.label.tolist(), found.confusion.tolist(), strict=True)
    ]


def outcome_rows(answer: Certificates, natural_prediction: Array, score_median: Array, stages: int = 1) -> Rows:
    """One row per image, for the first threshold of ``answer``; radii rounded down, to nine significant digits.

    Of a chain of so many ``stages``, also the ``stage`` that was guessed to answer: 1, 2, ..., or core.
    """
    prediction = answer.prediction()[:, 0]
    named = stage_names(answer, stages)
    return [
        {
            "index": int(answer.index[i]),
            "label": int(answer.label[i]),
            "outcome": Outcome(answer.outcome[i, 0]).label,
            "prediction": int(prediction[i]),
            "radius": round_down(answer.radius[i, 0]),
            "radius_certify": round_down(answer.radius_certify[i, 0]),
            "radius_select": round_down(answer.radius_select[i, 0]),
            "core_prediction": int(answer.core[i]),
            "natural_prediction": int(natural_prediction[i]),
            SCORE_MEDIAN: float(score_median[i]),
            **({"stage": named[i]} if named else {}),
        }
        for i in range(len(answer.index))
    ]


def stage_names(answer: Certificates, stages: int) -> list[str]:
    """Of a chain of so many stages, which was guessed to answer each image, for the first threshold of ``answer``.

    None at all without a chain.
    """
    if answer.later is None:
        return []
    return ["core" if k == stages else str(k + 1) for k in answer.later.stage[:, 0].tolist()]


def standalone_row(alone: Standalone, radius_names: Sequence[str]) -> dict[str, Any]:
    """A smoothed network without ACES, in the columns of ``metric_rows`` that apply."""
    cert = {f"cert_{r}": float(alone.certified_accuracy[j]) for j, r in enumerate(radius_names)}
    return {"nac": alone.nac, "acr": alone.acr, **cert}


def render(rows: Rows, form: Format) -> str:
    """The table as text, ending in a newline. All rows have the same columns. NaN is an empty cell, in JSON null."""
    rows = [{name: _known(value) for name, value in row.items()} for row in rows]
    if form is Format.CSV:
        return _csv(rows)
    if form is Format.JSON:
        return json.dumps(rows, indent=1, default=float, allow_nan=False) + "\n"
    return _latex(rows) if form is Format.LATEX else _markdown(rows)


def _known(value: Any) -> Any:
    """The value; None for a number that is none."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _csv(rows: Rows) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _full(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _markdown(rows: Rows) -> str:
    cells = [[escape.markdown(v) if isinstance(v, str) else _short(k, v) for k, v in row.items()] for row in rows]
    lines = [list(rows[0]), ["---:"] * len(rows[0]), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _latex(rows: Rows) -> str:
    head = " & ".join(escape.latex(name) for name in rows[0])
    body = "".join(" & ".join(escape.latex(_short(k, v)) for k, v in row.items()) + " \\\\\n" for row in rows)
    columns = "r" * len(rows[0])
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"


def _full(value: Any) -> str:
    """For programs: nine significant digits; a text is none that a spreadsheet would compute."""
    if isinstance(value, str):
        return escape.csv(value)
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _short(name: str, value: Any) -> str:
    """For people, with the paper's digits: thresholds 2, radii 3, percentages 1; other numbers have 4 significant."""
    if value is None or isinstance(value, str | int):
        return "" if value is None else str(value)
    if name in ("theta", "p0", "theta2", "p02"):
        return f"{value:.3f}".removesuffix("0")
    if name.startswith(("acr", "radius", "entropy")):
        return str(round_down(value, decimals=3)) if name.startswith("radius") else f"{value:.3f}"
    return f"{value:.1f}" if name.startswith(("nac", "cert_", "select_")) or name in OUTCOMES else f"{value:.4g}"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(1.13), duration(42.3), duration(600), duration(40_000)
    ('1.1 s', '42 s', '10 min', '11.1 h')
    """
    if seconds < 120:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
