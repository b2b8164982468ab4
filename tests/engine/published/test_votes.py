from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.arrays import ABSTAIN
from engine.published import import_logs
from engine.published.votes import class_votes
from engine.records.compose import compose
from engine.records.runs import CoreRun
from engine.statistics.aces import Outcome, certify, predict_class
from engine.statistics.corrections import Correction
from tests.engine.published.fabricated import LEVEL, N, by_name, selected, selection_row, smoothed


def test_abstentions_abstain_and_recorded_predictions_are_kept(data: Path) -> None:
    runs = by_name(import_logs(data))
    run, core = smoothed(runs["cifar10_consistency_025_certification"]), runs["lanet_core_prediction"]
    assert isinstance(core, CoreRun)
    assert run.predict_class is not None
    assert run.predict_class.tolist() == [3, 1, 8, ABSTAIN, ABSTAIN]
    answer = certify(compose(run, core), [1.0], alpha=0.001, correction=Correction.BONFERRONI)
    assert answer.outcome[:, 0].tolist() == [
        Outcome.CERTIFIED, Outcome.CERTIFIED, Outcome.ABSTAIN, Outcome.CERTIFIED, Outcome.ABSTAIN,
    ]  # fmt: skip
    undecided = [(row, step) for row in range(5) for step in range(101) if selection_row(selected(row, step))[0] == -1]
    assert undecided
    for row, step in undecided:
        assert run.select_counts[row, step] == N // 2
        assert run.select_counts0[row, step] == 50


def test_votes_predict_what_the_log_predicted(data: Path) -> None:
    run = smoothed(by_name(import_logs(data))["cifar10_consistency_025_certification"])
    # The fourth image: certified with n draws, undecided with the 10,000 that the authors' PREDICT took. No table of
    # votes does both, so the recorded decision wins wherever there is one.
    assert predict_class(run.class_counts, LEVEL).tolist() == [3, 1, 8, 0, ABSTAIN]


def test_votes_spread_where_the_winner_is_clear_and_gather_where_it_is_not() -> None:
    votes = class_votes(np.array([2, 0]), np.array([6, 5]), 10, 4, clear=np.array([True, False]))
    assert votes.tolist() == [[1, 1, 6, 2], [5, 5, 0, 0]]


def test_the_most_votes_are_kept_beside_the_fewest(data: Path) -> None:
    run = smoothed(by_name(import_logs(data))["cifar10_consistency_025_certification"])
    assert run.class_count_high is not None
    high, fewest = run.class_count_high.tolist(), run.class_counts[np.arange(5), run.class_counts0.argmax(1)].tolist()
    for row, drawn in ((0, 100_000), (1, 70_000), (3, 50_700)):
        assert fewest[row] <= drawn <= high[row]
    undecided = max(k for k in range(50_000, 51_000) if selection_row(k)[0] == ABSTAIN)
    assert [high[2], high[4]] == [undecided] * 2
    assert [fewest[2], fewest[4]] == [N // 2] * 2
