"""Spot checks against the paper's printed tables, and that nothing is missing from them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.published.paper import AcesSeries, SmoothedSeries, aces_series, smoothed_series


def find(table: str, training: str, eta: float | None = None) -> AcesSeries:
    (found,) = (s for s in aces_series() if (s.table, s.training, s.eta) == (table, training, eta))
    return found


def test_tables_2_to_14_are_23_settings_over_11_thresholds_and_9_radii() -> None:
    series = aces_series()
    assert len(series) == 23
    for s in series:
        assert s.thetas.tolist() == [step / 10 for step in range(11)]
        assert s.radii.tolist() == [step / (2 if s.sigma == 1 else 4) for step in range(9)]
        assert s.nac.shape == s.acr.shape == (11,)
        assert s.certified_accuracy.shape == s.certified_selection.shape == (11, 9)
        assert s.sigma == s.sigma_train


def test_cells_are_where_the_paper_prints_them() -> None:
    s = find("4/5", "consistency")  # table 1 of the paper repeats this setting
    assert (s.dataset, s.core, s.sigma) == ("imagenet", "efficientnet-b7", 0.5)
    assert (s.nac[1], s.acr[1]) == (80.0, 0.530)
    assert s.certified_accuracy[1, s.radii == 1.0].tolist() == [28.2]
    s = find("8/9", "consistency")
    assert (s.nac[[1, 5]].tolist(), s.acr[[1, 5]].tolist()) == ([97.6, 85.0], [0.254, 0.485])
    assert s.certified_selection[1, 0] == 38.4


@pytest.mark.parametrize("s", aces_series(), ids=lambda s: s.label)
def test_rates_fall_along_the_radius_and_certificates_rise_along_theta(s: AcesSeries) -> None:
    assert (np.diff(s.certified_accuracy, axis=1) <= 0).all()
    assert (np.diff(s.certified_selection, axis=1) <= 0).all()
    assert (np.diff(s.acr) >= 0).all()
    assert (s.certified_accuracy[:, 1:] <= s.certified_selection[:, 1:]).all()


def test_tables_15_to_17_group_by_network() -> None:
    *varied, joint = smoothed_series()
    assert [len(s.sigma) for s in varied] == [10, 10, 10, 10]
    assert [s.sigma_train[0] for s in varied] == [0.0, 0.25, 0.5, 1.0]
    assert joint.sigma.tolist() == joint.sigma_train.tolist() == [0.25, 0.5, 1.0]
    assert (joint.nac[1], joint.acr[1], joint.certified_accuracy[1, 0]) == (57.0, 0.806, 55.4)
    assert joint.certified_accuracy.shape == (3, 9)


def test_labels_say_which_setting() -> None:
    def label(s: AcesSeries | SmoothedSeries) -> str:
        return s.label

    assert label(find("4/5", "consistency")) == "paper: ImageNet, Consistency, σ 0.5"
    assert label(find("14", "gaussian", 0.95)) == "paper: CIFAR-10, Gaussian, σ 0.25, selection network η 0.95"
    assert [label(s) for s in smoothed_series()] == [
        "paper: CIFAR-10, standard training, without ACES",
        "paper: CIFAR-10, SmoothAdv trained at σ 0.25, without ACES",
        "paper: CIFAR-10, SmoothAdv trained at σ 0.5, without ACES",
        "paper: CIFAR-10, SmoothAdv trained at σ 1, without ACES",
        "paper: ImageNet, Consistency, without ACES",
    ]
    everything = [label(s) for s in (*aces_series(), *smoothed_series())]
    assert len(set(everything)) == len(everything)


def test_the_shipped_tables_cannot_be_changed_by_their_users() -> None:
    with pytest.raises(ValueError, match="read-only"):
        aces_series()[0].nac[0] = 0
