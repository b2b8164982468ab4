"""The figures of the paper (Horváth et al. 2022) that show data, of any runs: tables -> plates. Pure.

Colours as there, but from the palette that people with colour blindness tell apart; nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from engine.arrays import Array
from engine.figures.base import LIGHT
from engine.figures.vector import INK, Bars, Callout, Curve, Panel, Plate
from engine.figures.views import EntropyHistogram, Front

BLUE, ORANGE, GREEN = LIGHT.series[:3]
OTHERS = LIGHT.series[3:]
HUES = (BLUE, ORANGE, *OTHERS)  # of compositions; green is that of the networks alone, as in the paper
BY_NOISE = (ORANGE, BLUE, "#c1272d", *OTHERS)  # Fig. 2: orange, blue, red by rising noise
NAC = "Natural accuracy (NAC) [%]"
ACR = "Average certified radius (ACR)"
ALONE, CORE_ALONE = "smoothed alone", "core alone"
DASHES = ("solid", "dashed", "dashdot")
MARKS = ("o", "D", "v", "P", "X", "h")
PRINTED_MARKS = ("x", "+", "1", "*")
DOTS = 101  # on a front, at theta = 0, 0.01, ..., 1, as the authors evaluated
EMPTY = np.empty(0)


@dataclass(frozen=True)
class NetworkAlone:
    """A certification network without ACES under one evaluation noise: NAC in percent, and its robustness.

    ``network`` tells networks apart, ``trained`` is the noise that it was trained with.
    """

    network: str
    trained: float
    noise: float
    nac: float
    robustness: float

    @property
    def place(self) -> tuple[float, float]:
        return self.nac, self.robustness


@dataclass(frozen=True, eq=False)
class Aspect:
    """What one panel sets over natural accuracy: ``y`` names the robustness of ``fronts``, of the networks ``alone``,
    and of series that the paper prints, by their labels: (NAC, robustness).
    """

    y: str
    fronts: Sequence[Front]
    alone: Sequence[NetworkAlone] = ()
    printed: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)


def certified_at(radius: float) -> str:
    """How an axis calls the certified accuracy."""
    return f"Certified accuracy at r = {radius:.9g} [%]"


def fronts(aspects: Sequence[Aspect], names: Mapping[str, str]) -> Plate:
    """Figs. 1, 4, 5 and 8: a front of dots for every composition, its core network as a square on its end, and the
    certification networks alone as green triangles. ``names``: label -> legend entry.
    """
    return Plate(tuple(_over_nac(aspect, (*_fronts(aspect, names), *_alone(aspect))) for aspect in aspects))


def _over_nac(aspect: Aspect, parts: tuple[Curve, ...], notes: tuple[Callout, ...] = ()) -> Panel:
    parts = (*parts, *_printed(aspect))
    nothing = not any(len(part.y) and np.nanmax(part.y) > 0 for part in parts)
    return Panel(NAC, aspect.y, parts, low=(None, 0.0), high=(None, 1.0 if nothing else None), notes=notes)


def _printed(aspect: Aspect) -> Iterator[Curve]:
    """Dotted in grey, with a mark a row of the paper's table."""
    for k, (label, (nac, robustness)) in enumerate(aspect.printed.items()):
        yield Curve(label, nac, robustness, LIGHT.muted, "dotted", PRINTED_MARKS[k % len(PRINTED_MARKS)], width=0.8)


def _fronts(aspect: Aspect, names: Mapping[str, str]) -> Iterator[Curve]:
    for k, front in enumerate(aspect.fronts):
        color, mark = HUES[k % len(HUES)], MARKS[k % len(MARKS)]
        yield Curve(
            names[front.label], front.nac, front.robustness, color, marker=mark, at=_dots(front), width=0.8, size=2.4
        )
    for core, hues in _cores(aspect.fronts):
        yield Curve("", np.array([core[0]]), np.array([core[1]]), hues, "", "s", size=4.5)
    if aspect.fronts:
        yield Curve(CORE_ALONE, EMPTY, EMPTY, INK, "", "s", size=4)


def _cores(found: Sequence[Front]) -> list[tuple[tuple[float, float], str]]:
    """The core networks' places, each once, in the colour of its first front, or in ink where several share it."""
    places = list(dict.fromkeys(front.core for front in found))
    owners = {place: [k for k, front in enumerate(found) if front.core == place] for place in places}
    return [(place, INK if len(ks) > 1 else HUES[ks[0] % len(HUES)]) for place, ks in owners.items()]


def _dots(front: Front) -> Array:
    """The places of at most ``DOTS`` thresholds, without those at which the front has not moved."""
    at = np.arange(0, len(front.thetas), max(1, (len(front.thetas) - 1) // (DOTS - 1)))
    moved = np.diff(front.nac[at], prepend=np.nan) != 0
    moved |= np.diff(front.robustness[at], prepend=np.nan) != 0
    kept: Array = at[moved]
    return kept


def _alone(aspect: Aspect) -> Iterator[Curve]:
    if aspect.alone:
        x, y = zip(*dict.fromkeys(one.place for one in aspect.alone), strict=True)
        yield Curve(ALONE, np.array(x), np.array(y), GREEN, "", "^", size=5)


def fronts_by_noise(aspects: Sequence[Aspect], cores: Mapping[str, str], noises: Mapping[str, float]) -> Plate:
    """Figs. 2 and 9: colour is the training noise, a solid or dashed line the core network of an ACES, and dotted lines
    join what one network does alone at several evaluation noises.

    ``cores`` and ``noises``: label of a front -> its core network and training noise.
    """
    every = sorted({*noises.values(), *(one.trained for aspect in aspects for one in aspect.alone)})
    colors = {noise: BY_NOISE[k % len(BY_NOISE)] for k, noise in enumerate(every)}
    kinds = {core: DASHES[k % len(DASHES)] for k, core in enumerate(dict.fromkeys(cores.values()))}
    panels = []
    for aspect in aspects:
        alone = tuple(_alone_by_noise(aspect.alone, colors))
        lines = tuple(
            Curve("", front.nac, front.robustness, colors[noises[front.label]], kinds[cores[front.label]])
            for front in aspect.fronts
        )
        panels.append(_over_nac(aspect, (*_legend_by_noise(colors, kinds), *alone, *lines)))
    return Plate(tuple(panels))


def _alone_by_noise(alone: Sequence[NetworkAlone], colors: Mapping[float, str]) -> Iterator[Curve]:
    """One network at several noise levels as a dotted line with a dot a level; at a single one, as a triangle."""
    for _, group in groupby(sorted(alone, key=lambda one: (one.network, one.noise)), key=lambda one: one.network):
        found = list(group)
        (x, y), color = np.array([one.place for one in found]).T, colors[found[0].trained]
        dash, mark, size = ("dotted", "o", 2.0) if len(found) > 1 else ("", "^", 4.5)
        yield Curve("", x, y, color, dash, mark, size=size)
    kinds = {len(list(group)) > 1 for _, group in groupby(sorted(one.network for one in alone))}
    if True in kinds:
        yield Curve(f"{ALONE}, by evaluation σ", EMPTY, EMPTY, INK, "dotted", "o", size=2)
    if False in kinds:
        yield Curve(ALONE, EMPTY, EMPTY, INK, "", "^", size=4)


def _legend_by_noise(colors: Mapping[float, str], kinds: Mapping[str, str]) -> Iterator[Curve]:
    """Entries for colours and dashes, not for each of their combinations."""
    for noise, color in colors.items():
        yield Curve(f"trained at σ {noise:g}", EMPTY, EMPTY, color, width=2.5)
    for core, dash in kinds.items():
        yield Curve(f"ACES, core {core}", EMPTY, EMPTY, INK, dash)


def histogram(found: EntropyHistogram, radius: float, score: str) -> Plate:
    """Fig. 3: images by median score, those that the certification network alone certifies at r in blue."""
    zero = np.zeros(len(found.edges) - 1)
    parts = (
        Bars(f"certifiably correct at r = {radius:.9g}", found.edges, found.certifiable, zero, BLUE),
        Bars("not", found.edges, found.other, found.certifiable.astype(float), ORANGE, "////"),
    )
    last = float(found.edges[1 + np.flatnonzero(found.certifiable + found.other).max(initial=0)])
    return Plate((Panel(f"Median {score}", "Images", parts, low=(0.0, 0.0), high=(last, None)),))


def signed_radii(signed: Array, thetas: Sequence[float]) -> Plate:
    """Fig. 6: ``signed`` radii [N, T] of the selection over the images' percentile, a line for each threshold."""
    images = len(signed)
    percentile = 100 * (np.arange(images) + 0.5) / max(images, 1)
    zero = Curve("", np.array([0.0, 100.0]), np.zeros(2), INK, width=0.5)
    lines = [
        Curve(f"θ = {theta:g}", percentile, np.sort(signed[:, k]), _hue(k), (*DASHES, "dotted")[k % 4])
        for k, theta in enumerate(thetas)
    ]
    y = "Certified radius of the selection"
    return Plate(
        (Panel("Percentile of the images", y, (zero, *lines), low=(0.0, None), high=(100.0, None), radii="y"),)
    )


def _hue(k: int) -> str:
    return LIGHT.series[k % len(LIGHT.series)]


def marked_front(aspect: Aspect, thetas: Sequence[float], names: Mapping[str, str]) -> Plate:
    """Fig. 7: one composition's front, with the thresholds of Fig. 6 marked, its core and its network alone."""
    (front,) = aspect.fronts
    at = np.array([front.at(theta) for theta in thetas], int)
    marks = Curve("at θ" if len(at) else "", front.nac[at], front.robustness[at], INK, "", "o", size=3.5)
    notes = tuple(
        Callout(float(front.nac[k]), float(front.robustness[k]), f"{theta:g}") for k, theta in _apart(front, at, thetas)
    )
    parts = (*_fronts(aspect, names), *_alone(aspect), marks)
    return Plate((_over_nac(aspect, parts, notes),))


def _apart(front: Front, at: Array, thetas: Sequence[float]) -> Iterator[tuple[int, float]]:
    """The thresholds to name: of those that stand on one point, the first."""
    seen: set[tuple[float, float]] = set()
    for k, theta in zip(at.tolist(), thetas, strict=True):
        place = (round(float(front.nac[k]), 1), round(float(front.robustness[k]), 2))
        if place not in seen:
            seen.add(place)
            yield k, theta


def curves(radii: Array, aces: Mapping[float, Array], alone: Array, core: float, symbol: str) -> Plate:
    """Certified accuracy over radius [R] at each threshold, and of both networks alone: tables 2 to 13 as curves."""
    lines = [
        Curve(f"{symbol} = {theta:g}", radii, rate, _hue(k), DASHES[k % 3])
        for k, (theta, rate) in enumerate(aces.items())
    ]
    alone_too = Curve(ALONE, radii, alone, INK, "dotted")
    square = Curve(CORE_ALONE, np.array([0.0]), np.array([core]), INK, "", "s", size=4)
    end = float(radii[-1])
    parts = (*lines, alone_too, square)
    return Plate((Panel("Radius r", "Certified accuracy [%]", parts, low=(0.0, 0.0), high=(end, 100.0), radii="x"),))
