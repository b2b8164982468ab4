"""Plot-ready tables -> plotly figures. Pure: the same table gives the same JSON, so that the browser redraws nothing.

Colour says which network or quantity; what the reader sets (theta, radius) is drawn in ink. Nothing is told by colour
alone: every line has its dash, every mark its shape, every bar its hatching.
"""

from engine.figures.annotated import ALT as ANNOTATED
from engine.figures.annotated import annotated
from engine.figures.base import (
    ACR,
    DARK,
    DETAIL_HEIGHT,
    HEIGHT,
    LIGHT,
    NAC,
    RADII,
    SELECTED,
    SHARES,
    TALL,
    Sketch,
    Theme,
)
from engine.figures.classes import confusion, rates_by_class, reach, routing_by_class, shares
from engine.figures.drawing import FIGURES, Drawing, FigureOptions, draw
from engine.figures.image import answer_over_theta, bounds_over_theta, class_votes, images, selection_share
from engine.figures.radius import accuracy_over_radius, selection_over_radius
from engine.figures.selection import entropies, receiver, signed_radii
from engine.figures.steps import waterfall
from engine.figures.tradeoff import over_theta, trade_off

__all__ = [
    "ACR",
    "ANNOTATED",
    "DARK",
    "DETAIL_HEIGHT",
    "FIGURES",
    "HEIGHT",
    "LIGHT",
    "NAC",
    "RADII",
    "SELECTED",
    "SHARES",
    "TALL",
    "Drawing",
    "FigureOptions",
    "Sketch",
    "Theme",
    "accuracy_over_radius",
    "annotated",
    "answer_over_theta",
    "bounds_over_theta",
    "class_votes",
    "confusion",
    "draw",
    "entropies",
    "images",
    "over_theta",
    "rates_by_class",
    "reach",
    "receiver",
    "routing_by_class",
    "selection_over_radius",
    "selection_share",
    "shares",
    "signed_radii",
    "trade_off",
    "waterfall",
]
