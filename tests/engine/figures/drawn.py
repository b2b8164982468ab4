"""Figures of made-up numbers, and what is read off them."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import engine.figures
from engine.figures import LIGHT
from engine.figures.views import EntropyHistogram, FanCurve, Front, ImageRows, RadiusCurves
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.metrics import Metrics
from engine.statistics.separation import Separation
from tests import synthetic

THETAS = np.array([0.0, 0.5, 1.0])


def finished(draw):
    """A figure as plotly reads it, which checks its parts."""
    return lambda *arguments: draw(*arguments).finish()


DRAWN = (
    "trade_off", "over_theta", "accuracy_over_radius", "selection_over_radius", "entropies", "signed_radii", "receiver",
    "class_votes", "selection_share", "answer_over_theta", "bounds_over_theta", "images",
)  # fmt: skip
figures = SimpleNamespace(**{name: finished(getattr(engine.figures, name)) for name in DRAWN})


def metrics(nac=(90.0, 85.0, 80.0), acr=(0.0, 0.2, 0.3)) -> Metrics:
    selected = np.array([[0.0], [40.0], [100.0]])
    return Metrics(
        THETAS, np.array([0.25]), np.array(nac), np.array(acr), selected / 2, selected, np.zeros((3, 4)), 100
    )


def front(
    label: str = "0.25", position: int = 0, nac=(90.0, 85.0, 80.0), robustness=(0.0, 0.2, 0.3), **changes
) -> Front:
    address = ("gaussian", label, "core", "entropy")
    whole = Front(
        f"σ {label}", position, address, THETAS, np.array(nac), np.array(robustness), (79.0, 0.31), (91.0, 0.0),
        f"net {label}", 0.25, 100, 1,
    )  # fmt: skip
    return replace(whole, **changes)


def trade_off(fronts, current=0, theta=0.5, theme=LIGHT, best=None, pinned=None):
    return figures.trade_off(fronts, current, theta, "ACR", theme, best, pinned)


BARS = tuple(np.arange(count) for count in (5, 3, 0, 0, 0, 1, 4, 2))
HISTOGRAM = EntropyHistogram(np.linspace(0, 1, 5), BARS, True)
CURVES = RadiusCurves(
    np.array([0, 5e-324, 0.5, 1.0]), np.array([90.0, 60.0, 20.0, 0.0]), np.array([80.0, 80.0, 30.0, 0.0]),
    np.array([70.0, 70.0, 40.0, 0.0]), 91.0, 0.9, "ℓ2",
)  # fmt: skip
FAN = [FanCurve(0.1, CURVES.aces / 2, CURVES.selected / 2)]


def drawn(explanation, theme=LIGHT, theta=0.5):
    names = [str(k) for k in range(10)]
    return {
        "trade_off": trade_off([front()], 0, theta, theme),
        "radius": figures.accuracy_over_radius(CURVES, FAN, theta, 0.25, 0, theme),
        "selected": figures.selection_over_radius(CURVES, FAN, theta, 0.25, 0, theme),
        "theta": figures.over_theta(metrics(), theta, 0.25, theme),
        "entropies": figures.entropies(HISTOGRAM, theta, 0.25, "entropy", theme),
        "votes": figures.class_votes(explanation, names, theme),
        "share": figures.selection_share(explanation, theme),
    }


def trace(figure, name):
    return next(t for t in figure.data if t.name == name or (t.text is not None and name in t.text))


def marks(figure) -> dict[str, float]:
    return {note.text: note.x for note in figure.layout.annotations}


CURVE = Separation(THETAS, np.array([0.0, 20.0, 100.0]), np.array([0.0, 90.0, 100.0]), 0.85, 0.8, 0.9, 40, 100)
ROWS = ImageRows(
    index=np.array([5, 6, 7]),
    label=np.zeros(3, int),
    outcome=np.array([Outcome.CERTIFIED, Outcome.CORE, Outcome.CERTIFIED]),
    answer=np.zeros(3, int),
    correct=np.ones(3, bool),
    radius=np.array([0.5, 0.0, 0.25]),
    score_median=np.array([0.1, 0.8, np.nan]),
)


def decoded(value):
    """JSON with typed arrays as lists of numbers, and missing ones as None."""
    if isinstance(value, dict) and "bdata" in value:
        numbers = np.frombuffer(b64decode(value["bdata"]), np.dtype(value["dtype"]).newbyteorder("<"))
        return [None if np.isnan(x) else float(x) for x in numbers]
    if isinstance(value, dict):
        return {key: decoded(part) for key, part in value.items()}
    return [decoded(part) for part in value] if isinstance(value, list) else value


def without_nothing(value):
    """Without the keys that say nothing: plotly leaves them out."""
    if isinstance(value, dict):
        parts = {key: without_nothing(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part not in (None, {}, [])}
    return [without_nothing(part) for part in value] if isinstance(value, list) else value


def sketches(explanation):
    names = [str(k) for k in range(10)]
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    fronts = [front(str(k), k) for k in range(9)]
    return {
        "trade_off": engine.figures.trade_off(fronts, 0, 0.3, "ACR", LIGHT),
        "over_theta": engine.figures.over_theta(metrics(), 0.3, 0.25, LIGHT),
        "accuracy": engine.figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT),
        "entropies": engine.figures.entropies(HISTOGRAM, 0.3, 0.25, "entropy", LIGHT),
        "votes": engine.figures.class_votes(explanation, names, LIGHT),
        "bounds": engine.figures.bounds_over_theta(certify(c.rows(slice(0, 1)), c.thetas), 0.3, LIGHT),
        "images": engine.figures.images(ROWS, 0.3, "entropy", LIGHT),
        "missing": engine.figures.trade_off([front(nac=(np.nan, 85.0, 80.0))], 0, 0.0, "ACR", LIGHT),
    }
