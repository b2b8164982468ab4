from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import catalog, data
from app.content.paper_tables import CORE, SMOOTHED, TABLES, written
from app.settings import BY_VOTES, Choice, Settings, combinations, cores, experiments
from cache.catalog import DEMO
from engine import latex
from engine.errors import AcesError
from engine.published import import_logs
from engine.published.paper import AcesSeries, aces_series
from engine.records.runs import write_run
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention
from tests import ROOT, synthetic
from tests.app_pages import other_copy

AUTHORS = ROOT.parent / "shared" / "published" / "data"
THETAS = TABLES["Table 14"].thetas


@pytest.fixture
def view(demo) -> Settings:
    """All compositions of the synthetic demo."""
    metas = catalog.listing().metas
    (experiment,) = experiments(metas)
    choices = combinations([experiment], list(cores(metas, synthetic.DATASET).values()), [None], None)
    return Settings(choices[0], drawn=choices)


def test_table_1_is_one_composition_with_its_networks_alone(view):
    table = written(view, False, (0.0, 0.25), (0.1, 1.0)).table
    (block, alone) = table.blocks
    m = data.at_thetas(view, (0.1, 1.0), (0.0, 0.25))
    assert table.heads == ()
    assert [row.name for row in block.rows] == ["0.10", "1.00"]
    np.testing.assert_allclose([row.accuracy for row in block.rows], m.certified_accuracy)
    np.testing.assert_allclose([row.selection for row in block.rows], m.certified_selection)
    smoothed, core = alone.rows
    found = data.alone(view, (0.0, 0.25))
    assert (smoothed.name, smoothed.nac, smoothed.acr) == (SMOOTHED, found.nac, found.acr)
    assert (core.name, core.acr, core.accuracy[1]) == (CORE, 0.0, 0.0)


def test_table_14_groups_by_sigma_and_names_what_differs(view):
    table = written(view, True, (0.25,), (0.2,)).table
    assert table.heads == ("σ", "Core")
    assert [(block.group, len(block.rows)) for block in table.blocks] == [
        (sigma, rows) for sigma in ("0.25", "0.5", "1") for rows in (1, 1, 3)
    ]
    assert [row.name for row in table.blocks[2].rows] == [
        SMOOTHED, f"{CORE}: {synthetic.CORE}", f"{CORE}: {synthetic.OTHER_CORE}",
    ]  # fmt: skip


def test_what_cannot_be_read_is_said_and_the_others_stand(view, demo):
    other_copy(demo, 0.5)
    catalog.look_again()
    found = written(view, True, (0.25,), (0.2,))
    assert any("0.5" in sentence and "not in the table" in sentence for sentence in found.missing)
    assert {block.group for block in found.table.blocks} == {"0.25", "1"}


def test_thresholds_of_votes_are_another_table(view):
    run = view.certify_run
    votes = Choice.of(view.choice.training, view.choice.noise, run, view.core_run, BY_VOTES)
    found = written(replace(view, drawn=(*view.drawn, votes)), True, (), (0.2,), ())
    assert any("not one threshold" in sentence for sentence in found.missing)
    of_votes = written(replace(view, choice=votes, drawn=(*view.drawn, votes), theta=0.7), True, (), (0.7,), ())
    assert (of_votes.table.first, len(of_votes.table.blocks)) == ("p₀", 1)


def test_a_table_without_rows_is_refused(view):
    with pytest.raises(AcesError, match="no row"):
        written(view, True, (0.25,), (), ())


def test_the_demo_has_its_selections_side_by_side(monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    metas = [m for m in catalog.listing().metas if m.dataset == "fashion_mnist"]
    (gaussian,) = (e for e in experiments(metas) if e.training == "gaussian")
    run = gaussian.runs[0]
    (core,) = cores(metas, "fashion_mnist").values()
    nets = [m for m in metas if m.kind == "selection"]
    choices = tuple(Choice.of("gaussian", "0.25", run, core, net) for net in (None, *nets))
    table = written(Settings(choices[0], drawn=choices), True, (0.25,), (0.2,), ()).table
    assert table.heads == ("σ", "Selection")
    assert "\\midrule" in latex.render(table)


def authors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for run in import_logs(AUTHORS):
        write_run(run, folder / f"{run.meta.name}.npz")
    monkeypatch.setenv("ACES_DEMO", str(folder))
    catalog.look_again()


def of_paper(dataset: str, sigma: float, training: str, eta: float | None = None) -> AcesSeries:
    (found,) = (s for s in aces_series() if (s.dataset, s.sigma, s.training, s.eta) == (dataset, sigma, training, eta))
    return found


def close(text: str, value: float, one: float) -> bool:
    """Whether a printed number is the paper's, to one unit of the last digit: its logs print radii of three digits."""
    return abs(float(text) - value) <= one + 1e-9


@pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' logs are not beside the checkout")
def test_tables_1_and_14_print_the_papers_numbers(tmp_path, monkeypatch):
    authors(tmp_path, monkeypatch)
    by_name = {meta.name: meta for meta in catalog.listing().metas}
    terms = {"correction": Correction.BONFERRONI, "convention": Convention.PAPER}
    net = by_name["selection_model_gaussian_025_binary_050_outputs"]
    table_1, table_14 = of_paper("imagenet", 0.5, "consistency"), of_paper("cifar10", 0.25, "gaussian", 0.5)
    for certify, core, select, series in (
        ("imagenet_consistency_050_certification", "efficientnet-b7_core_prediction", None, table_1),
        ("cifar10_gaussian_025_certification", "lanet_core_prediction", net, table_14),
    ):
        run = by_name[certify]
        choice = Choice.of(run.network.training or "", f"{run.noise:g}", run, by_name[core], select)
        radii, thetas = tuple(series.radii.tolist()), tuple(series.thetas.tolist())
        table = written(Settings(choice, **terms), False, radii, thetas, ()).table
        (block,) = table.blocks
        assert len(block.rows) == len(series.thetas)
        for t, row in enumerate(block.rows):
            nac, acr, *accuracy = row.ranked
            assert close(nac, series.nac[t], 0.0)
            assert close(acr, series.acr[t], 0.001)
            assert all(close(text, at, 0.2) for text, at in zip(accuracy, series.certified_accuracy[t], strict=True))
            assert all(close(text, at, 0.2) for text, at in zip(row.rates, series.certified_selection[t], strict=True))
