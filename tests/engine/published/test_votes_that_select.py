"""Logs whose votes select: against plain loops over what they print, against the votes that were counted, in chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, norm

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.published import import_logs
from engine.records.compose import Composition, StageRuns, Then, compose, compose_chain
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SmoothedRun, from_bytes, same, to_bytes
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import lower_confidence_bound, upper_confidence_bound
from engine.statistics.chain_grid import chain_grid
from engine.statistics.corrections import Correction
from engine.statistics.metrics import evaluate
from engine.statistics.steps import STEPS, VOTES, ways
from tests.chain_oracle import AskedStage, Printed, certify_chain, predict_chain
from tests.engine.published.fabricated import AUTHORS, log_of_counts, needs_authors, smoothed
from tests.random_runs import rows_of

SIGMA, N0, N, OF_LOG = 0.5, 100, 10_000, 0.001  # of so many draws some print one radius
P0 = np.array([0.55, 0.62, 0.7, 0.75, 0.9, 0.99])


@pytest.fixture
def n_known(monkeypatch):
    """Radii of few images fit several n; here the log is read for its own."""
    monkeypatch.setattr("engine.published.grid.CANDIDATE_N", (N,))


@dataclass(frozen=True)
class Logged:
    """A log, with what was counted and what it printed."""

    run: SmoothedRun
    counts0: np.ndarray
    counts: np.ndarray
    printed: list[Printed]


def logged(folder: Path, seed: int, form: str = "{:.3}", n: int = N, images: int = 70, m: int = 10) -> Logged:
    """Images around every decision: unanimous, split in two, and such whose guess draws elected another class."""
    rng = np.random.default_rng(seed)
    top = rng.choice([0.3, 0.45, 0.5, 0.55, 0.6, 0.7, 0.85, 0.95, 1.0], images)
    p = np.zeros((images, m))
    p[:, 3], p[:, 5] = top, 1 - top
    p[::3, 5], p[::3, 7] = p[::3, 5] / 2, p[::3, 5] / 2
    counts0, counts = rng.multinomial(N0, p), rng.multinomial(n, p)
    elected = rng.random(images) < 0.1
    counts0[elected] = np.roll(counts0[elected], 2, axis=1)
    label = np.where(rng.random(images) < 0.7, 3, 5)
    path = log_of_counts(folder / f"cifar10/net/log-{seed}", counts0, counts, label, SIGMA, OF_LOG, form)
    run = smoothed(import_logs(path, sigma=SIGMA, alpha=OF_LOG)[0])
    cells = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    printed = [Printed(int(row[2]), row[3], form, SIGMA, run.meta.draws, OF_LOG) for row in cells]
    return Logged(run, counts0, counts, printed)


def core_of(run: SmoothedRun, seed: int = 0) -> CoreRun:
    answers = np.random.default_rng(seed).choice([3, 5, 7], len(run.index))
    return CoreRun(Meta("core", "core", "cifar10", 10, split=run.meta.split), run.index, run.label, answers)


def sampled(like: SmoothedRun, seed: int) -> SmoothedRun:
    """A run of the same images that was counted."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.2] * 10, len(like.index))
    counts0, counts = rng.multinomial(20, p), rng.multinomial(300, p)
    share = rng.random((len(like.index), 1))
    meta = replace(like.meta, name=f"sampled {seed}", n0=20, n=300, sigma=0.25, radius_digits=None, extra={})
    return SmoothedRun(
        meta, like.index, like.label, counts0, counts, np.array([0.5]), rng.binomial(20, share),
        rng.binomial(300, share), np.full(len(like.index), np.nan),
    )  # fmt: skip


def assert_agrees(c: Composition, alpha: float, correction: Correction, logs: Sequence[Logged | None]) -> set[str]:
    """Of each stage its log, where it has one."""
    answer, natural, met = certify(c, P0, alpha, correction), predict(c, P0, alpha).prediction(), set()
    rows = [rows_of(one) for one in (c, *(stage.composition for stage in c.then))]
    for image in range(len(c)):
        for at, p0 in enumerate(P0):
            thresholds = (float(p0), *(stage.theta for stage in c.then))
            stages = [
                AskedStage(row[image], threshold)
                if log is None
                else AskedStage(row[image], p0=threshold, log=log.printed[image])
                for row, threshold, log in zip(rows, thresholds, logs, strict=True)
            ]
            want = certify_chain(stages, alpha, correction)
            got = Outcome(answer.outcome[image, at]).label, int(answer.prediction()[image, at])
            assert got == (want.outcome, want.label), (image, p0)
            assert answer.radius[image, at] == pytest.approx(want.radius, abs=1e-9)
            assert natural[image, at] == predict_chain(stages, alpha), (image, p0)
            met.add(want.outcome)
    return met


@pytest.mark.usefixtures("n_known")
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_one_stage_of_a_log_agrees_with_plain_loops(tmp_path, correction, alpha):
    log = logged(tmp_path, 1)
    assert any(one.most > one.fewest for one in log.printed if one.predict != ABSTAIN)
    c = compose(log.run, core_of(log.run), by_votes=True)
    assert assert_agrees(c, alpha, correction, [log]) == {"certified", "core", "consensus", "abstain"}


@pytest.mark.usefixtures("n_known")
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("order", ["log first", "log second", "two logs"])
def test_chains_with_logs_agree_with_plain_loops(tmp_path, correction, order):
    log, other = logged(tmp_path, 1, images=60), logged(tmp_path, 3, images=60)
    of_log, counted = StageRuns(log.run, by_votes=True), StageRuns(sampled(log.run, 4))
    also = StageRuns(replace(other.run, label=log.run.label), by_votes=True)
    stages, logs = {
        "log first": ((of_log, counted), (log, None)),
        "log second": ((counted, of_log), (None, log)),
        "two logs": ((of_log, also), (log, other)),
    }[order]
    c = compose_chain(stages[0], core_of(log.run), [Then(stages[1], 0.7 if stages[1].by_votes else 0.5)])
    if order == "log second":
        c = replace(c, then=(replace(c.then[0], theta=0.7),))
    assert c.undirected_stages == (2 if order == "two logs" else 1)
    assert {"certified", "abstain"} <= assert_agrees(c, 0.05, correction, logs)


@pytest.mark.parametrize("form", ["{:.3}", "{:.4f}"])
@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
def test_no_more_is_claimed_than_by_the_votes_that_were_counted(tmp_path, form, n):
    """Also where the radii fit several n, and the log is read for another than was drawn."""
    log = logged(tmp_path, 5, form, n, images=300)
    c, level = compose(log.run, core_of(log.run), by_votes=True), 0.001 / 2
    answer, met = certify(c, P0, 0.001), set()
    for image, (votes0, votes) in enumerate(zip(log.counts0, log.counts, strict=True)):
        c_hat = int(votes0.argmax())
        low = float(beta.ppf(level, votes[c_hat], n - votes[c_hat] + 1)) if votes[c_hat] else 0.0
        # Of another class than the elected one an abstention tells by the guess draws alone, at their own level.
        most = votes.max() if log.printed[image].predict != ABSTAIN else votes[c_hat]
        high = float(beta.ppf(1 - level, most + 1, n - most)) if most < n else 1.0
        for at, p0 in enumerate(P0):
            outcome = Outcome(answer.outcome[image, at])
            met.add(outcome)
            if outcome is Outcome.CERTIFIED:
                assert answer.prediction()[image, at] == c_hat
                assert answer.radius[image, at] <= SIGMA * (norm.ppf(low) - norm.ppf(p0)) + 1e-9
            if outcome is Outcome.CORE:
                assert high <= p0
            if outcome is Outcome.CONSENSUS:
                assert low >= 0.5
    assert {Outcome.CERTIFIED, Outcome.CORE, Outcome.ABSTAIN} <= met


def test_an_abstention_hands_on_only_what_its_guess_draws_exclude(tmp_path):
    """Of 100 guess draws a class with 0.6 of the votes loses some: below what they exclude nobody answers."""
    counts0 = np.array([[40, 60], [60, 40], [60, 40]]) @ np.eye(10, dtype=int)[[3, 5]]
    counts = np.array([[600, 400], [450, 550], [1000, 0]]) @ np.eye(10, dtype=int)[[3, 5]]
    path = log_of_counts(tmp_path / "cifar10/net/few", counts0, counts, np.full(3, 3), SIGMA, OF_LOG, "{:.3}")
    run = smoothed(import_logs(path, sigma=SIGMA, alpha=OF_LOG)[0])
    assert run.class_counts.max(1).tolist()[:2] == [run.meta.draws // 2] * 2
    c = compose(
        run, CoreRun(Meta("core", "core", "cifar10", 10, split="test"), run.index, run.label, run.label), by_votes=True
    )
    excluded = float(upper_confidence_bound(50, 100, 0.1 * 0.001 / 2))
    answer = certify(c, [0.6, excluded - 0.005, excluded + 0.005], 0.001)
    assert answer.outcome[:2].tolist() == [[Outcome.ABSTAIN, Outcome.ABSTAIN, Outcome.CORE]] * 2
    assert answer.outcome[2, 0] == Outcome.CERTIFIED


@pytest.mark.usefixtures("n_known")
def test_levels_of_either_direction_add_up(tmp_path):
    log = logged(tmp_path, 1)
    c = compose(log.run, core_of(log.run), by_votes=True)
    answer = certify(c, 0.9, 0.001)
    at = int(np.flatnonzero(answer.outcome[:, 0] == Outcome.CERTIFIED)[0])
    fewest = log.printed[at].fewest
    low = lower_confidence_bound(fewest, N, 0.001 / 2)
    assert answer.radius[at, 0] == pytest.approx(SIGMA * (norm.ppf(low) - norm.ppf(0.9)))


def test_a_grid_of_a_chain_with_a_log_is_what_evaluate_says(tmp_path):
    log = logged(tmp_path, 1, images=40)
    c = compose_chain(StageRuns(log.run, by_votes=True), core_of(log.run), [Then(StageRuns(sampled(log.run, 4)), 0.5)])
    found = chain_grid(c, P0, [0.5])
    assert found.acr[:, 0] == pytest.approx(evaluate(c, P0).acr)
    assert found.nac[:, 0] == pytest.approx(evaluate(c, P0).nac)


def test_a_run_that_an_earlier_version_imported_is_refused_for_its_votes_alone(tmp_path):
    run = logged(tmp_path, 1, images=40).run
    extra = {name: value for name, value in run.meta.extra.items() if name != "most_votes"}
    older = replace(run, meta=replace(run.meta, extra=extra), class_count_high=None)
    assert same(from_bytes(to_bytes(older)), older)
    assert not older.meta.selects_by_votes
    assert run.meta.selects_by_votes
    compose(older, core_of(older))
    with pytest.raises(AcesError, match=r"holds only the fewest votes .*: import the log again with --replace$"):
        compose(older, core_of(older), by_votes=True)
    assert ways(older, core_of(older)).missing(STEPS[VOTES]) != ""
    assert ways(run, core_of(run)).missing(STEPS[VOTES]) == ""


def test_what_selects_is_carried_by_its_rows(tmp_path):
    log = logged(tmp_path, 1, images=40)
    c = compose(log.run, core_of(log.run), by_votes=True)
    assert c.rows(slice(5, 9)).class_count_high.tolist() == c.class_count_high[5:9].tolist()
    assert not compose(log.run, core_of(log.run)).undirected


@needs_authors
def test_the_authors_logs_have_both_ends_of_their_votes():
    run, core = (
        import_logs(AUTHORS / part)[0]
        for part in ("imagenet/consistency/noise_0.50", "imagenet/core/efficientnet-b7_core_prediction")
    )
    c = compose(smoothed(run), core, by_votes=True)
    found = evaluate(c, [0.501, 0.7, 0.9])
    assert (np.diff(found.nac) > 0).all()
    assert (np.diff(found.acr) < 0).all()
    assert found.outcomes[1:, Outcome.CORE].min() > 0
