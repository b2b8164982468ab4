from __future__ import annotations

import numpy as np
import pytest

from engine.errors import AcesError
from engine.records.counts import THRESHOLDS, count, thresholds
from engine.records.draws import Draws, concatenate


def draws(scores, classes=None):
    scores = np.asarray(scores, np.float32)
    classes = np.zeros(len(scores)) if classes is None else np.asarray(classes)
    return Draws(classes.astype(np.uint16), scores)


def test_votes_and_thresholds_by_hand():
    counts = count(draws([0.0, 0.0005, 0.5, 1.0], [2, 0, 2, 1]), num_classes=4)
    assert counts.class_counts.tolist() == [1, 1, 2, 0]
    assert counts.select_counts[[0, 1, 499, 500, 999, 1000]].tolist() == [1, 2, 2, 3, 3, 4]


def test_counts_agree_with_comparing_every_score_with_every_threshold():
    scores = np.random.default_rng(0).random(5000, np.float32)
    steps = scores * np.float32(THRESHOLDS - 1)
    expected = [(steps <= j).sum() for j in range(THRESHOLDS)]
    assert count(draws(scores), 2).select_counts.tolist() == expected


def test_every_draw_is_selected_at_theta_1():
    assert count(draws([1.0, 1.0, 0.3]), 2).select_counts[-1] == 3


def test_quantiles_are_minimum_quartiles_and_maximum():
    assert count(draws([0.1, 0.2, 0.3, 0.4, 0.5]), 2).quantiles == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_nan_is_never_counted():
    with pytest.raises(AcesError, match="NaN"):
        count(draws([0.1, float("nan")]), 2)


def test_thresholds_are_a_thousandth_apart():
    assert thresholds()[[0, 123, 1000]].tolist() == [0.0, 0.123, 1.0]


def test_parts_join_and_split_in_stream_order():
    whole = concatenate([draws([0.1, 0.2], [1, 2]), draws([0.3], [3])])
    assert whole.classes.tolist() == [1, 2, 3]
    assert whole.first(2).scores.tolist() == pytest.approx([0.1, 0.2])
