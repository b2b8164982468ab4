"""The names of the controls, which are those of the address, and what they begin with. No widget is drawn here."""

from __future__ import annotations

from typing import Literal

from app.settings import COLOURS, DEFAULT_BOUND, DEFAULT_P0, DEFAULT_RADIUS, DEFAULT_THETA, OWN_SELECTION
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.metrics import Convention

URL: Literal["query-params"] = "query-params"
FRONT, MAP, ROWS = "figure_front", "figure_images", "rows"  # keys of the figures and the table that are clicked on
ENTROPIES, SIGNED = "figure_entropy", "figure_signed"
GALLERY, MATRIX, CATALOG = "gallery", "matrix", "catalog"
CONTROLS = (
    *(
        "collection",
        "dataset",
        "training",
        "sigma",
        "core",
        "select",
        "theta",
        "p0",
        "votes",
        "then",
        "select2",
        "theta2",
        "p02",
        "votes2",
        "alpha",
        "radius",
        "correction",
        "bound",
        "convention",
    ),
    *("with_training", "with_core", "with_select", "with_collection", "noises", "colour", "paper", "pin", "pick"),
)
DIALS = ("theta", "p0", "votes", "alpha", "radius", "theta2", "p02", "votes2")
FIRST_PAGE = "trade-off"  # which answers without a path as well
THETA_STEP = 0.001
SMALLEST_P0, LARGEST_P0 = 0.501, 0.999
NOTHING = "core"  # what comes behind the first stage where no second one does
FEWEST_VOTES, MOST_VOTES, VOTES_STEP = 0.01, 0.99, 0.01
SMALLEST_ALPHA, LARGEST_ALPHA, ALPHA_DIGITS = 1e-9, 0.5, 9
NOISES = ("all", "only this σ")
CHOICE_KEYS = ("training", "sigma", "core", "select")  # the controls of a composition's address
DEFAULTS: dict[str, object] = {  # of the sidebar, but for the components, whose first is what the catalog has first
    "theta": DEFAULT_THETA,
    "votes": MAJORITY,
    "alpha": DEFAULT_ALPHA,
    "radius": DEFAULT_RADIUS,
    "correction": DEFAULT_CORRECTION,
    "bound": DEFAULT_BOUND,
    "convention": Convention.ALGORITHM,
    "noises": NOISES[0],
    "colour": COLOURS[0],
}
STAGE_DEFAULTS: dict[str, object] = {  # of controls that only some compositions have
    "p0": DEFAULT_P0,
    "then": NOTHING,
    "select2": OWN_SELECTION,
    "theta2": DEFAULT_THETA,
    "p02": DEFAULT_P0,
    "votes2": MAJORITY,
}
PAGE_DEFAULTS: dict[str, dict[str, object]] = {  # what the widgets of these pages begin with
    FIRST_PAGE: {"measure": "ACR", "best_t": False, "nac": 75.0, "surely": False},
    "certified-accuracy": {"fan": (0.1, 0.2, 0.4, 0.6, 1.0), "by_class": False},
    "images": {"view": "Gallery"},
    "paper": {"preset": "Figure 1"},
}
PAGE_CONTROLS = (
    *("measure", "best_t", "nac", "surely", "fan", "view", "outcome", "answer", "class", "radii", "scores", "image"),
    *("floor", "config", "draws", "preset", "by_class"),
)
PICKED = "pick"
