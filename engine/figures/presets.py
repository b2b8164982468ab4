"""Each figure of the paper, of the compositions of a view and of stored runs: what the page Paper and ``plot`` make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.errors import AcesError
from engine.figures import overlay, paper
from engine.figures.numbers import FigureData
from engine.figures.paper import ACR, Aspect, NetworkAlone, certified_at
from engine.figures.settings import Choice, Settings, mismatched, network_key
from engine.figures.short_labels import short_names
from engine.figures.vector import COLUMN, TEXT_WIDTH, Plate
from engine.figures.views import Axis, Front

NAME_LENGTH = 32  # of a component in a legend
THETAS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Wanted:
    """What the reader chose beside the sidebar: radii of panels, thresholds of lines or marks."""

    radii: tuple[float, ...] = ()
    thetas: tuple[float, ...] = ()


@dataclass(frozen=True)
class Made:
    """A figure, and in sentences what of the paper's could not be made of these runs."""

    plate: Plate
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperFigure:
    """A figure: what it shows, the reader's first ``radii`` and ``thetas`` (None: not asked for), and its maker.

    ``dials``: those of the sidebar that it depends on, beside the noise.
    """

    title: str
    shows: str
    make: Callable[[FigureData, Settings, Wanted], Made]
    radii: tuple[float, ...] | None = None
    thetas: tuple[float, ...] | None = None
    width: float = COLUMN
    height: float = 2.6
    dials: tuple[str, ...] = ("votes", "alpha")


def _fronts_of(
    data: FigureData, settings: Settings, choices: Sequence[Choice], axis: Axis
) -> tuple[list[Front], tuple[str, ...]]:
    drawn, problems = data.fronts(replace(settings, drawn=tuple(choices)), axis)
    return drawn, tuple(f"{label} is not drawn: {problem}" for label, problem in problems.items())


def _axes(asked: Wanted, of_acr: bool = True) -> list[tuple[Axis, float | None]]:
    """The panels: the ACR first, then certified accuracy at each radius."""
    return [*([(Axis.ACR, None)] if of_acr else []), *((Axis.CERTIFIED, r) for r in asked.radii)]


def _aspects(
    data: FigureData,
    settings: Settings,
    choices: Sequence[Choice],
    asked: Wanted,
    of_acr: bool,
    alone: Callable[[NetworkAlone], bool],
) -> tuple[list[Aspect], tuple[str, ...]]:
    """A panel for each measure, with the networks that ``alone`` lets through."""
    found: list[Aspect] = []
    problems: tuple[str, ...] = ()
    for axis, radius in _axes(asked, of_acr):
        at = settings if radius is None else replace(settings, radius=radius)
        drawn, problems = _fronts_of(data, at, choices, axis)
        networks = [one for one in _networks(data, settings, radius) if alone(one)]
        printed = overlay.printed(overlay.chosen(settings.paper), radius)
        found.append(Aspect(ACR if radius is None else certified_at(radius), drawn, networks, printed))
    if not found:
        raise AcesError("no radius is chosen: each is a panel of this figure")
    return found, (*problems, *_empty(found))


def _empty(found: Sequence[Aspect]) -> list[str]:
    """The panels on which nothing is above 0."""
    return [
        f"No front here has a {aspect.y.removesuffix(' [%]').lower()} above 0."
        for aspect in found
        if aspect.fronts and not any(front.robustness.max() > 0 for front in aspect.fronts)
    ]


def _networks(data: FigureData, settings: Settings, radius: float | None) -> list[NetworkAlone]:
    found = []
    for run, alone in data.networks_alone(settings, () if radius is None else (radius,)):
        trained = run.noise if run.network.sigma_train is None else run.network.sigma_train
        robustness = alone.acr if radius is None else float(alone.certified_accuracy[0])
        found.append(NetworkAlone(f"{network_key(run)} {trained:g}", trained, run.noise, alone.nac, robustness))
    return found


def _names(settings: Settings, choices: Sequence[Choice], symbol: str = "ACES, ") -> dict[str, str]:
    """Label -> legend entry: what differs among the compositions, their components shortened."""
    parts = [part for choice in choices for part in choice.address[:4]]
    short = short_names(parts, NAME_LENGTH)
    told = [k for k in (0, 2, 3) if len({choice.address[k] for choice in choices}) > 1] or [2]
    entries = [symbol + _told(choice, told, short) for choice in choices]
    whole = settings.labels(choices)
    alike = len(set(entries)) < len(entries)
    return {label: symbol + label if alike else entry for label, entry in zip(whole, entries, strict=True)}


def _told(choice: Choice, told: Sequence[int], short: dict[str, str]) -> str:
    words = {0: "", 2: "core ", 3: "selection "}
    return ", ".join(words[k] + short[choice.address[k]] for k in told)


def _at_this_noise(settings: Settings) -> list[Choice]:
    """The compositions drawn whose networks were trained for the current σ, and the current one."""
    noise = settings.certify_run.noise
    return [
        choice
        for choice in settings.compositions
        if choice == settings.choice or (choice.certify_run.noise == noise and not mismatched(choice.certify_run))
    ]


def _matched(one: NetworkAlone) -> bool:
    return one.trained == one.noise


def _of_cores(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    choices = _at_this_noise(settings)
    aspects, problems = _aspects(data, settings, choices, asked, True, _matched)
    missing = list(problems)
    if len({choice.core_run.name for choice in choices}) < 2:
        missing.append(
            "The paper draws two core networks: another is added under Compare with in the sidebar, or by --with."
        )
    if len(aspects[0].alone) < 2:
        missing.append("The store holds this training at one σ alone: the paper's triangles are at three.")
    return Made(paper.fronts(aspects, _names(settings, choices)), tuple(missing))


def _by_noise(data: FigureData, settings: Settings, asked: Wanted, of_acr: bool) -> Made:
    own = settings.choice
    same = [
        choice
        for choice in settings.compositions
        if (choice.training, choice.selection, choice.then) == (own.training, own.selection, own.then)
        and not mismatched(choice.certify_run)
    ]
    choices = same or [own]
    aspects, problems = _aspects(data, settings, choices, asked, of_acr, lambda one: True)
    missing = list(problems)
    levels = [one.network for one in aspects[0].alone]
    if len(set(levels)) == len(levels):
        missing.append(
            "There are no dotted lines: they join the runs of one network at several evaluation noises, and the store "
            "holds each network of this training at one. The paper's own, of its Tables 15 to 17, are drawn where The "
            "paper's tables under Compare with names them."
        )
    if len({choice.certify_run.noise for choice in choices}) < 2:
        missing.append("One training noise is drawn; the paper has three.")
    names = dict(zip(settings.labels(choices), choices, strict=True))
    short = short_names((choice.core_run.name for choice in choices), NAME_LENGTH)
    cores = {label: short[choice.core_run.name] for label, choice in names.items()}
    noises = {label: choice.certify_run.noise for label, choice in names.items()}
    return Made(paper.fronts_by_noise(aspects, cores, noises), tuple(missing))


def _fig2(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    return _by_noise(data, settings, asked, of_acr=True)


def _fig9(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    return _by_noise(data, settings, asked, of_acr=False)


def _of_scores(settings: Settings) -> None:
    if settings.choice.by_votes:
        raise AcesError("the votes for the class select here: this figure is of a score and its thresholds")


def _fig3(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    _of_scores(settings)
    found = data.entropy_histogram(settings)
    if not found.recorded:
        raise AcesError("this run records no scores of single images")
    return Made(paper.histogram(found, settings.radius, settings.mechanism.score))


def _fig6(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    _of_scores(settings)
    _asks_thetas(asked)
    return Made(paper.signed_radii(data.signed_radii(settings, asked.thetas), asked.thetas))


def _asks_thetas(asked: Wanted) -> None:
    if not asked.thetas:
        raise AcesError("no threshold is chosen: each is a line of this figure")


def _fig7(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    _of_scores(settings)
    (aspect,), problems = _aspects(data, settings, [settings.choice], Wanted(), True, _matched)
    if problems:
        raise AcesError(problems[0])
    return Made(paper.marked_front(aspect, asked.thetas, _names(settings, [settings.choice])))


def _fig8(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    own = settings.choice
    runs = own.certify_run, own.core_run
    choices = [c for c in settings.compositions if (c.certify_run, c.core_run) == runs]
    aspects, problems = _aspects(data, settings, choices, asked, True, lambda one: False)
    missing = list(problems)
    if len(choices) < 2:
        missing.append(
            "One selection is drawn: others are added under Compare with in the sidebar, or by --with, if any are."
        )
    return Made(paper.fronts(aspects, _selections(settings, choices)), tuple(missing))


def _selections(settings: Settings, choices: Sequence[Choice]) -> dict[str, str]:
    short = short_names((choice.selection for choice in choices), NAME_LENGTH)
    entries = [short[choice.selection] for choice in choices]
    whole = settings.labels(choices)
    return dict(zip(whole, entries if len(set(entries)) == len(entries) else whole, strict=True))


def _curves(data: FigureData, settings: Settings, asked: Wanted) -> Made:
    _asks_thetas(asked)
    found = data.radius_curves(settings)
    fan = data.fan(settings, asked.thetas, found.radii)
    aces = {one.theta: one.aces for one in fan}
    return Made(paper.curves(found.radii, aces, found.alone, found.core, settings.symbol))


PRESETS = {
    "Figure 1": PaperFigure(
        "ACR over NAC",
        "Fronts of the compositions at the sidebar's σ, their core networks, and this training's networks alone at "
        "every σ in the store.",
        _of_cores,
    ),
    "Figure 2": PaperFigure(
        "ACR over NAC, by noise",
        "Fronts of this training at every σ of the sidebar, a dash for each core network; dotted, each network alone "
        "under other evaluation noises.",
        _fig2,
    ),
    "Figure 3": PaperFigure(
        "Certifiable images by score",
        "Images by the median score of their noisy copies, split by whether the certification network alone certifies "
        "them at the sidebar's r (3.0 in the paper).",
        _fig3,
        height=2.2,
        dials=("alpha", "radius"),
    ),
    "Figure 4": PaperFigure(
        "ACR and certified accuracy over NAC",
        "Figure 1 with a panel for the certified accuracy at each radius (1.0 and 2.0 in the paper).",
        _of_cores, radii=(1.0, 2.0), width=TEXT_WIDTH, height=2.3,
    ),
    "Figure 5": PaperFigure(
        "ACR and certified accuracy over NAC, of CIFAR10",
        "As Figure 4, which is of ImageNet: the sidebar has the dataset.",
        _of_cores, radii=(1.0, 2.0), width=TEXT_WIDTH, height=2.3,
    ),
    "Figure 6": PaperFigure(
        "Certified radii of the selection",
        "Images by rising radius: positive where the certification network is certainly selected, negative where the "
        "core network is, 0 where the selection abstains.",
        _fig6, thetas=THETAS,
    ),
    "Figure 7": PaperFigure(
        "The front of Figure 6",
        "The front of the current composition, with thresholds marked.",
        _fig7, thetas=THETAS,
    ),
    "Figure 8": PaperFigure(
        "Selections compared",
        "Fronts with one certification and core network, and each selection of the sidebar (certified at 0.5 in the "
        "paper).",
        _fig8, radii=(0.5,), width=TEXT_WIDTH, height=2.5,
    ),
    "Figure 9": PaperFigure(
        "Certified accuracy over NAC, by noise",
        "Figure 2 with a panel for the certified accuracy at each radius.",
        _fig9, radii=(0.5, 1.0, 2.0), width=TEXT_WIDTH, height=2.5,
    ),
    "Curves": PaperFigure(
        "Certified accuracy over radius",
        "Not in the paper as a figure: Tables 2 to 13 as curves, of the current composition.",
        _curves, thetas=(0.1, 0.2, 0.3, 0.6, 1.0),
    ),
}  # fmt: skip
