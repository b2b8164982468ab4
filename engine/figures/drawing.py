"""Every figure of the dashboard by its name, of runs at hand: plotly in a notebook, or a file of SVG, PDF, PNG, HTML or
CSV.

    from cache import Catalog
    from engine.figures import draw

    draw("front", Catalog(), "fashion_mnist-gaussian-0.5", "fashion_mnist-core", theta=0.3)  # a notebook shows it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import AcesError
from engine.figures import export, overlay, printed, vector
from engine.figures.base import DARK, LIGHT, Sketch, Theme
from engine.figures.classes import confusion, rates_by_class, reach, routing_by_class, shares
from engine.figures.deploy import best
from engine.figures.image import bounds_over_theta, class_votes, images, selection_share
from engine.figures.numbers import Numbers, Shelf
from engine.figures.presets import PRESETS, Wanted
from engine.figures.radius import accuracy_over_radius, selection_over_radius
from engine.figures.selection import entropies, receiver, signed_radii
from engine.figures.settings import Choice, Settings, class_names
from engine.figures.steps import waterfall
from engine.figures.tradeoff import over_theta, trade_off
from engine.figures.vector import Look, Plate
from engine.figures.views import Axis
from engine.output import write_file
from engine.statistics.chains import Later

if TYPE_CHECKING:
    import plotly.graph_objects as go

AXES = {Axis.ACR: "ACR: average certified radius", Axis.CERTIFIED: "certified accuracy at r {r:.9g} [%]"}
FAN = (0.1, 0.2, 0.4, 0.6, 1.0)  # thresholds beside the view's, as the pages begin with
SIGNED = (0.1, 0.3, 0.5, 0.7, 0.9)
WIDTH, HEIGHT = 4.6, 3.2  # inches
FORMS = ("svg", "pdf", "png", "html", "csv")


@dataclass(frozen=True)
class FigureOptions:
    """What a figure is asked beside its view; None for what it begins with.

    ``radii`` of panels and ``thetas`` of lines; the ``image`` by its index; ``nac``, the floor of natural accuracy in
    percent at which steps are compared and the front's best point is circled; ``measure``: what stands for robustness;
    ``best_t``: fronts at the best share of votes everywhere.
    """

    radii: tuple[float, ...] | None = None
    thetas: tuple[float, ...] | None = None
    image: int | None = None
    nac: float | None = None
    measure: Axis | None = None
    best_t: bool | None = None


Made = tuple[Sketch | Plate, tuple[str, ...]]  # a figure, and in sentences what of it could not be made


@dataclass(frozen=True)
class FigureCard:
    """A figure: its name on the command line and in the pages' exports, what it shows, what draws it, and the fields of
    ``FigureOptions`` that it has a use for.
    """

    name: str
    shows: str
    draw: Callable[[Numbers, Settings, FigureOptions, Theme], Made]
    takes: tuple[str, ...] = ()
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure that was drawn: ``made``, what it rests on (``origin``, as JSON types), and in sentences what of it is
    ``missing``. A notebook shows it.
    """

    card: FigureCard
    made: Sketch | Plate
    settings: Settings
    theme: Theme
    origin: Mapping[str, Any]
    images: int
    missing: tuple[str, ...] = ()

    @property
    def look(self) -> Look:
        """The size and font that the file has where none are asked for."""
        return Look(self.card.width, self.card.height, serif=isinstance(self.made, Plate))

    def plotly(self) -> go.Figure:
        """The figure as plotly has it. Raises ``AcesError`` for those that are made for print alone."""
        if isinstance(self.made, Plate):
            raise AcesError(f"{self.card.name} is made for print: save it as svg, pdf, png, html or csv")
        return self.made.finish()

    def svg(self, look: Look | None = None) -> str:
        """As an SVG whose letters are outlines."""
        return self._printed("svg", look).decode()

    def pdf(self, look: Look | None = None) -> bytes:
        """As a PDF with its fonts embedded."""
        return self._printed("pdf", look)

    def png(self, look: Look | None = None) -> bytes:
        """As pixels."""
        return self._printed("png", look)

    def html(self) -> str:
        """As one page that needs nothing else, with what it rests on; figures of the dashboard can be zoomed."""
        title, facts = export.title(self.settings), export.facts(self.settings, self.images)
        drawn = {self.card.name: self.made if isinstance(self.made, Sketch) else self.svg()}
        return export.report(f"{title}: {self.card.name}", [], drawn, self.origin, facts)

    def csv(self) -> str:
        """The points of every series, below what they rest on."""
        if isinstance(self.made, Plate):
            return export.plate_csv(self.made, self.origin)
        return export.figure_csv(self.made, self.origin)

    def save(self, path: Path, look: Look | None = None) -> None:
        """Write the file whose kind its ending says. Raises ``AcesError`` for another ending, or where it cannot be
        written.
        """
        form = path.suffix.removeprefix(".").lower()
        check_form(path)
        if form == "html":
            made = self.html().encode()
        else:
            made = self.csv().encode() if form == "csv" else self._printed(form, look)
        write_file(path, made)

    def _printed(self, form: str, look: Look | None) -> bytes:
        look = look or self.look
        if isinstance(self.made, Plate):
            return vector.saved(partial(vector.draw, self.made, look), look, form, dpi=150)
        return printed.save(self.made, look, self.theme, form)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if isinstance(self.made, Plate):
            return {"image/svg+xml": self.svg()}
        shown: Any = self.plotly()
        bundle: dict[str, Any] = shown._repr_mimebundle_()  # nothing where plotly knows of no notebook
        return bundle or {"text/html": shown.to_html(full_html=False)}


def check_form(path: Path) -> None:
    """Raises ``AcesError`` where a file's ending says no kind that figures have."""
    if path.suffix.removeprefix(".").lower() not in FORMS:
        raise AcesError(f"cannot tell what {path} shall be: end it in .{', .'.join(FORMS)}")


def draw(
    name: str,
    runs: Shelf,
    certify: str,
    core: str,
    *,
    select: str | None = None,
    by_votes: bool = False,
    then: Later[str] | None = None,
    beside: Sequence[tuple[str, str]] = (),
    asked: FigureOptions | None = None,
    dark: bool = False,
    **view: Any,
) -> Drawing:
    """The figure ``name`` of ``FIGURES``, of a composition of named runs; ``beside`` it others of (certify, core).

    ``view``: fields of ``Settings``, such as theta, alpha, radius, correction, t, bound, paper. Raises ``AcesError``
    for names that are none, runs that do not fit, and numbers outside their ranges.
    """
    numbers = Numbers(runs)
    own = numbers.choice(certify, core, select, by_votes=by_votes, then=then)
    others = [numbers.choice(one, its, by_votes=by_votes) for one, its in beside]
    settings = Settings(own, drawn=_distinct([own, *others]), **view)
    digests = {run: runs.fingerprint(run) for run in settings.runs}
    return draw_view(name, numbers, settings, asked or FigureOptions(), digests, dark=dark)


def draw_view(
    name: str, numbers: Numbers, settings: Settings, asked: FigureOptions, digests: Mapping[str, str], *,
    dark: bool = False, **how: str,
) -> Drawing:  # fmt: skip
    """The same of a whole view. ``digests`` of its runs and ``how`` it is had again stand in its origin."""
    card = figure_card(name)
    _check_asked(card, asked)
    _check_view(settings)
    theme = DARK if dark else LIGHT
    count = len(numbers.composition(settings))
    made, missing = card.draw(numbers, settings, asked, theme)
    return Drawing(card, made, settings, theme, export.provenance(settings, count, digests, **how), count, missing)


def figure_card(name: str) -> FigureCard:
    """Raises ``AcesError`` for a name that no figure has."""
    if name not in FIGURES:
        raise AcesError(f"no figure is called '{name}'; known: {', '.join(FIGURES)}")
    return FIGURES[name]


def _distinct(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Each composition once: one that is named twice would have two labels."""
    found: list[Choice] = []
    for choice in choices:
        if choice not in found:
            found.append(choice)
    return tuple(found)


def _check_asked(card: FigureCard, asked: FigureOptions) -> None:
    given = [field.name for field in fields(asked) if getattr(asked, field.name) is not None]
    useless = [name for name in given if name not in card.takes]
    if useless:
        use = [one.name for one in FIGURES.values() if useless[0] in one.takes]
        raise AcesError(f"{card.name} has no use for {useless[0].replace('_', '-')}, which is for {', '.join(use)}")


def _check_view(settings: Settings) -> None:
    if not 0 <= settings.radius < float("inf"):
        raise AcesError(f"the radius is {settings.radius:g}; it must be a number of 0 or more")
    known = overlay.available()
    wrong = [label for label in settings.paper if label not in known]
    if wrong:
        raise AcesError(f"the paper has no series '{wrong[0]}'; known: {'; '.join(known)}")


def _front(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    measure = asked.measure or Axis.ACR
    found, problems = numbers.fronts(settings, measure, bool(asked.best_t))
    if not found:
        raise AcesError(next(iter(problems.values())))
    chosen = None if asked.nac is None else best(found, _floor(asked.nac), confident=False)
    missing = [f"{label} is not drawn: {problem}" for label, problem in problems.items()]
    if asked.nac is not None and chosen is None:
        missing.append(f"No composition here has a NAC of {asked.nac:g} %.")
    of_acr = measure is Axis.ACR
    axis = AXES[measure].format(r=settings.radius)
    figure = trade_off(found, settings.position, settings.theta, axis, theme, chosen, of_acr=of_acr)
    radius = None if of_acr else settings.radius
    series = overlay.chosen(settings.paper)
    overlay.on_trade_off(figure, series, theme, radius)
    return figure, (*missing, *overlay.notes(series, settings.alpha, radius))


def _floor(nac: float) -> float:
    if not 0 <= nac <= 100:
        raise AcesError(f"the NAC is {nac:g}; it is a percentage from 0 to 100")
    return nac


def _theta(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    figure = over_theta(numbers.over_theta(settings), settings.theta, settings.radius, theme, settings.symbol)
    if not settings.choice.by_votes:  # the paper's thresholds are of scores
        overlay.on_thetas(figure, overlay.chosen(settings.paper), settings.radius, theme)
    return figure, ()


def _accuracy(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    curves = numbers.radius_curves(settings)
    fan = numbers.fan(settings, _thetas(settings, asked, FAN), curves.radii)
    at = settings.theta, settings.radius, settings.position, theme, settings.symbol
    figure = accuracy_over_radius(curves, fan, *at)
    if not settings.choice.by_votes:
        overlay.on_radii(figure, overlay.chosen(settings.paper), settings.theta, theme)
    return figure, ()


def _selected(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    curves = numbers.radius_curves(settings)
    fan = numbers.fan(settings, _thetas(settings, asked, FAN), curves.radii)
    at = settings.theta, settings.radius, settings.position, theme, settings.symbol
    return selection_over_radius(curves, fan, *at), ()


def _thetas(settings: Settings, asked: FigureOptions, begun: tuple[float, ...]) -> tuple[float, ...]:
    """Thresholds beside the view's: those asked for, else of a score's the ones that the pages begin with."""
    if asked.thetas is None:
        return () if settings.choice.by_votes else begun
    return asked.thetas


def _of_scores(settings: Settings) -> Settings:
    """The first stage of the view, whose selection the figure is of. Raises ``AcesError`` where no score selects."""
    if settings.choice.by_votes:
        raise AcesError("the votes for the class select here: this figure is of a score and its thresholds")
    first = replace(settings.choice, then=None)
    drawn = _distinct([first, *(replace(one, then=None) for one in settings.compositions)])
    return replace(settings, choice=first, drawn=drawn)


def _histogram(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    settings = _of_scores(settings)
    found = numbers.entropy_histogram(settings)
    return entropies(found, settings.theta, settings.radius, settings.mechanism.score, theme), ()


def _radii(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    settings = _of_scores(settings)
    thetas = (*_thetas(settings, asked, SIGNED), settings.theta)
    return signed_radii(numbers.signed_radii(settings, thetas), thetas, theme), ()


def _receiver(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    settings = _of_scores(settings)
    found: dict[tuple[str, str], Choice] = {}
    for choice in settings.compositions:
        found.setdefault((choice.certify_run.name, choice.selection), choice)
    choices = [*found.values()]
    curves = [
        (label, settings.compositions.index(choice), numbers.separation(settings.at(choice)))
        for label, choice in zip(settings.labels(choices), choices, strict=True)
    ]
    return receiver(curves, settings.position, settings.theta, settings.radius, theme), ()


def _map(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    at = None if settings.choice.by_votes else settings.theta
    return images(numbers.image_rows(settings), at, settings.mechanism.score, theme), ()


def _classes(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    found = numbers.by_class(settings, (settings.radius,))
    return rates_by_class(found, class_names(settings.certify_run), settings.radius, theme), ()


def _routing(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    return routing_by_class(numbers.by_class(settings, ()), class_names(settings.certify_run), theme), ()


def _confusion(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    return confusion(numbers.by_class(settings, ()), class_names(settings.certify_run), theme), ()


def _reach(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    return reach(numbers.spread(settings), settings.radius, theme), ()


def _shares(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    return shares(numbers.spread(settings), theme), ()


def _steps(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    floor = _floor(75.0 if asked.nac is None else asked.nac)
    found = numbers.steps_at(settings, floor)
    if not found:
        raise AcesError(f"no step reaches a NAC of {floor:g} % on half of the images: ask for less")
    return waterfall(found, floor, theme), ()


def _votes(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    explained = numbers.explanation(_of_scores(settings), _image(asked))
    return class_votes(explained, class_names(settings.certify_run), theme), ()


def _share(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    return selection_share(numbers.explanation(_of_scores(settings), _image(asked)), theme), ()


def _bounds(numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    answer = numbers.over_thetas_of(settings, _image(asked))
    return bounds_over_theta(answer, settings.theta, theme, settings.symbol), ()


def _image(asked: FigureOptions) -> int:
    if asked.image is None:
        raise AcesError("this figure is of one image: say which by its index, as the column index of outcomes has it")
    return asked.image


def _preset(key: str, numbers: Numbers, settings: Settings, asked: FigureOptions, theme: Theme) -> Made:
    preset = PRESETS[key]
    radii = preset.radii or () if asked.radii is None else asked.radii
    thetas = preset.thetas or () if asked.thetas is None else asked.thetas
    made = preset.make(numbers, settings, Wanted(tuple(sorted(radii)), tuple(sorted(thetas))))
    return made.plate, made.missing


def _preset_card(key: str) -> FigureCard:
    """A figure of the paper, as the page Paper has it."""
    preset = PRESETS[key]
    takes = [name for name in ("radii", "thetas") if getattr(preset, name) is not None]
    name = key.lower().replace(" ", "-")
    shows = f"{key} of the paper: {preset.title}" if key != name.capitalize() else preset.title
    return FigureCard(name, shows, partial(_preset, key), tuple(takes), preset.width, preset.height)


FIGURES = {
    card.name: card
    for card in (
        FigureCard("front", "Robustness over accuracy, of every composition", _front, ("measure", "best_t", "nac")),
        FigureCard("theta", "NAC, ACR and selection rate over the threshold", _theta),
        FigureCard("accuracy", "Certified accuracy over radius", _accuracy, ("thetas",)),
        FigureCard("selection", "Certified selection rate over radius", _selected, ("thetas",)),
        FigureCard("histogram", "Images by median score, certifiable or not", _histogram),
        FigureCard("radii", "Radii of the selection's decisions over the images", _radii, ("thetas",)),
        FigureCard("receiver", "How well selections separate certifiable images from others", _receiver),
        FigureCard("map", "Every image by its score and radius", _map),
        FigureCard("classes", "Natural and certified accuracy by class, with intervals", _classes, (), 5.6),
        FigureCard("routing", "Who answers, by class", _routing, (), 5.6),
        FigureCard("confusion", "Answers by class: right, wrong, none", _confusion, (), 5.0, 4.4),
        FigureCard("reach", "Images by their certified radius", _reach),
        FigureCard("shares", "Images by the lower bound of their class's share of the votes", _shares),
        FigureCard("steps", "From the paper's certificate to larger ones, at one NAC", _steps, ("nac",), 5.6),
        FigureCard("votes", "One image: its draws by class", _votes, ("image",)),
        FigureCard("share", "One image: the draws that select, over the threshold", _share, ("image",)),
        FigureCard("bounds", "One image: both radii and the outcome over the threshold", _bounds, ("image",)),
        *map(_preset_card, PRESETS),
    )
}
