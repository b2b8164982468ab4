from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.settings import BY_VOTES, Choice, Settings, combinations, cores, experiments, selections
from cache.catalog import DEMO, Catalog
from engine.errors import AcesError
from engine.figures import vector
from engine.figures.numbers import Numbers
from engine.figures.presets import PRESETS, Wanted
from engine.figures.vector import Look
from engine.records.meta import Meta
from engine.statistics import metrics
from tests import synthetic


@pytest.fixture
def view(demo) -> Settings:
    """All compositions of the synthetic demo."""
    return whole(Catalog().metas(), synthetic.CORE)


def whole(metas: list[Meta], core: str, **chosen) -> Settings:
    (experiment, *_) = experiments(metas)
    found = cores(metas, experiment.dataset)
    choices = combinations([experiment], list(found.values()), [None], None)
    first = next(choice for choice in choices if choice.core_run.name == core)
    return Settings(first, drawn=choices, **chosen)


def made(key: str, view: Settings, **asked):
    preset = PRESETS[key]
    return preset.make(
        Numbers(Catalog()), view, Wanted(preset.radii or (), preset.thetas or ()) if not asked else Wanted(**asked)
    )


@pytest.mark.parametrize("key", PRESETS)
def test_every_preset_draws_from_stored_counts(view, key):
    found = made(key, view)
    of_acr = key not in ("Figure 9", "Curves")
    assert len(found.plate.panels) == max(len(PRESETS[key].radii or ()) + of_acr, 1)
    assert len(vector.texts(found.plate)) > 2


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_depends_on_the_dials_that_it_names(view, key):
    turned = {"theta": 0.55, "t": 0.2, "alpha": 1e-9, "radius": 0.6}
    called = {"t": "votes"}
    before = vector.svg(made(key, view).plate, Look(6.75, 2.5))
    moved = {called.get(dial, dial) for dial, value in turned.items() if drawn_at(key, view, dial, value) != before}
    assert moved == set(PRESETS[key].dials)


def drawn_at(key: str, view: Settings, dial: str, value: float) -> str:
    return vector.svg(made(key, replace(view, **{dial: value})).plate, Look(6.75, 2.5))


def test_fig_1_is_the_engines_numbers(view):
    plate = made("Figure 1", view).plate
    c = Numbers(Catalog()).composition(view)
    expected = metrics.evaluate(c, c.thetas, **view.terms.named)
    np.testing.assert_allclose(plate.panels[0].parts[0].y, expected.acr)
    np.testing.assert_allclose(plate.panels[0].parts[0].x, expected.nac)
    triangles = next(part for part in plate.panels[0].parts if part.name == "smoothed alone")
    alone = [metrics.standalone(synthetic.smoothed(s, 40), view.alpha, (), bound="margin") for s in synthetic.SIGMAS]
    np.testing.assert_allclose(triangles.y, [one.acr for one in alone])


def test_what_a_figure_lacks_is_said_in_a_sentence(view):
    one = replace(view, drawn=(view.choice,))
    assert any("two core networks" in sentence for sentence in made("Figure 1", one).missing)
    assert any("no dotted lines" in sentence for sentence in made("Figure 2", view).missing)
    assert any("One selection" in sentence for sentence in made("Figure 8", one).missing)
    assert any("at r = 9 above 0" in sentence for sentence in made("Figure 4", view, radii=(9.0,)).missing)


def test_dotted_lines_join_one_network_at_its_evaluation_noises(monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    metas = [
        m for m in Catalog().metas() if m.network.training in ("gaussian", "standard") and m.dataset == "fashion_mnist"
    ]
    found = made("Figure 2", whole(metas, "fashion_mnist-core"))
    dotted = [part for part in found.plate.panels[0].parts if part.dash == "dotted" and len(part.x)]
    assert [len(part.x) for part in dotted] == [6]
    assert not any("no dotted lines" in sentence for sentence in found.missing)


@pytest.mark.parametrize("key", ["Figure 3", "Figure 6", "Figure 7"])
def test_figures_of_scores_are_refused_where_votes_select(view, key):
    run = view.certify_run
    choice = Choice.of(view.choice.training, view.choice.noise, run, view.core_run, BY_VOTES)
    with pytest.raises(AcesError, match="votes"):
        made(key, replace(view, choice=choice, drawn=(choice,)))


@pytest.mark.parametrize(
    ("key", "asked"), [("Figure 9", {"radii": ()}), ("Figure 6", {"thetas": ()}), ("Curves", {"thetas": ()})]
)
def test_a_figure_of_nothing_is_refused(view, key, asked):
    with pytest.raises(AcesError, match="is chosen"):
        made(key, view, **asked)


def test_the_demo_has_selections_for_fig_8(monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    metas = [m for m in Catalog().metas() if m.dataset == "fashion_mnist"]
    (gaussian,) = (e for e in experiments(metas) if e.training == "gaussian")
    of = selections(metas, "fashion_mnist")
    choices = combinations([gaussian], list(cores(metas, "fashion_mnist").values()), list(of.values()), 0.25)
    found = made("Figure 8", Settings(choices[0], drawn=choices))
    names = [part.name for part in found.plate.panels[0].parts if part.name]
    assert (len(names), names[0], names[-1]) == (4, "entropy", "core alone")
    assert [name.endswith(end) for name, end in zip(names[1:3], ("0.5", "0.95"), strict=True)] == [True, True]
    assert found.missing == ()
