"""Coverage, measured: how often certificates and answers are wrong where the truth is known exactly.

The worst points and their exact errors come from benchmarks.coverage, which prints the full report. Every simulation
is seeded; it must agree with the exact error within 4 standard errors, and that error must not exceed alpha.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import multinomial, multivariate_normal, norm

from benchmarks import coverage, intervals
from benchmarks import coverage_of_chains as chains
from benchmarks import coverage_of_draws as draws
from benchmarks.coverage import ALPHA, Truth, draw, tail, wrong_certificates
from engine.arrays import ABSTAIN
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify, predict, predict_class
from engine.statistics.corrections import Correction
from engine.statistics.intervals import mean_interval
from engine.statistics.looks import Split
from engine.statistics.metrics import evaluate

REPETITIONS = 20_000
BONFERRONI, INTERSECTION_UNION, SIMULTANEOUS = Correction


def standard_error(share: float, repetitions: int = REPETITIONS) -> float:
    return float(np.sqrt(max(share, 1 / repetitions) * (1 - share) / repetitions))


def assert_covers(row: coverage.Row) -> None:
    assert row.exact <= ALPHA, row
    assert abs(row.measured - row.exact) <= 4 * standard_error(row.exact), row


# --- what must hold --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", Correction)
def test_certified_answers_at_their_worst_points(correction):
    for row in coverage.certified(correction, REPETITIONS):
        assert_covers(row)


def test_bonferroni_and_intersection_union_are_told_apart():
    """The paper's correction spends half of alpha on nothing where the weaker component decides."""
    paper, ours = (
        [row.measured for row in coverage.certified(correction, REPETITIONS) if "opposed" not in row.branch]
        for correction in (BONFERRONI, INTERSECTION_UNION)
    )
    assert paper == pytest.approx([0.025] * 8, abs=0.005)
    assert ours == pytest.approx([0.05] * 8, abs=0.006)


@pytest.mark.parametrize("correction", Correction)
def test_consensus_and_core_answers_at_their_worst_points(correction):
    assert_covers(coverage.consensus(correction, REPETITIONS))
    assert_covers(coverage.core_guessed(correction, REPETITIONS))


def assert_errs_rarely(row: coverage.Row) -> None:
    assert row.measured <= ALPHA + 4 * standard_error(ALPHA), row


@pytest.mark.parametrize("correction", Correction)
def test_a_share_of_the_votes_at_its_worst_points(correction):
    for row in coverage.of_a_share(correction, REPETITIONS):
        if np.isnan(row.exact):
            assert_errs_rarely(row)
        else:
            assert_covers(row)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_answers_of_predict_by_a_share_of_the_votes(classes):
    for row in coverage.predictions_of_a_share(classes, REPETITIONS):
        assert_errs_rarely(row)


@pytest.mark.parametrize("dependence", coverage.DEPENDENCE)
@pytest.mark.parametrize("correction", Correction)
def test_margins_over_rivals(correction, dependence):
    rows = list(coverage.of_a_margin(correction, dependence, REPETITIONS))
    assert rows
    for row in (*rows, coverage.of_a_tied_margin(correction, REPETITIONS)):
        assert_errs_rarely(row)


@pytest.fixture(scope="module")
def of_chains() -> list[chains.ChainRow]:
    return chains.sound(REPETITIONS, coverage.DEPENDENCE)


def test_chains_and_votes_that_select_at_their_worst_points(of_chains):
    assert {"independent", "alike", "opposed"} <= {row.branch.split("votes ")[-1] for row in of_chains}
    for row in of_chains:
        assert row.measured <= ALPHA + 4 * standard_error(ALPHA), row


def test_worst_points_of_chains_use_alpha_up(of_chains):
    full = [row.measured for row in of_chains if row.spent == INTERSECTION_UNION and "falls short" in row.branch]
    assert len(full) == 6
    for measured in full:
        assert measured == pytest.approx(ALPHA, abs=4 * standard_error(ALPHA))


def test_both_directions_of_a_log_use_alpha_up(of_chains):
    """Kept by a hair, either claim may be wrong: two tails of one count, one with a tenth for the guess of ĉ."""
    both = [
        row.measured
        for row in of_chains
        if row.spent == INTERSECTION_UNION and "of a log" in row.branch and "kept by a hair" in row.branch
        if "100,000" not in row.branch
    ]
    assert len(both) == 9
    for measured in both:
        assert 0.04 < measured <= ALPHA + 4 * standard_error(ALPHA)


def test_what_reads_a_chain_carelessly_would_be_noticed():
    for row in chains.unsound(REPETITIONS):
        assert row.measured > ALPHA + 4 * standard_error(ALPHA), row


def test_what_knows_a_majority_alone_or_trusts_a_guessed_rival_would_be_noticed():
    for row in (*coverage.of_a_majority(1_000), coverage.of_a_guessed_rival(1_000)):
        assert row.measured > 0.9, row


def test_worst_points_use_alpha_up():
    """A check at points that leave slack would pass a wrong correction."""
    assert coverage.consensus(INTERSECTION_UNION, 1).exact > 0.98 * ALPHA
    assert coverage.core_guessed(INTERSECTION_UNION, 1).exact > 0.98 * ALPHA
    assert coverage.core_guessed(BONFERRONI, 1).exact > 0.98 * ALPHA


def test_answers_of_predict_at_their_worst_point():
    row = coverage.predictions(REPETITIONS)
    assert_covers(row)
    assert row.exact == pytest.approx(ALPHA / 2, rel=0.02)  # for two classes Algorithm 4 is that conservative


@pytest.mark.parametrize("correction", Correction)
def test_opposed_votes_err_no_more_than_independent_ones(correction):
    """Anti-correlated: the draws that select the certification network are not those of the class guessed."""
    assert_covers(coverage.core_guessed_opposed(correction, REPETITIONS))
    assert_covers(coverage.predictions_opposed(REPETITIONS))


@pytest.mark.parametrize("classes", [3, 10])
def test_predict_errs_less_than_alpha_where_many_classes_are_tied(classes):
    """Theorem B.2: at most alpha / 4 + (alpha / 2) (m - 1) / m."""
    row = coverage.predictions_of_many(classes, REPETITIONS)
    allowed = ALPHA / 4 + ALPHA / 2 * (classes - 1) / classes
    assert 0 < row.measured <= allowed + 3 * standard_error(allowed)


@pytest.mark.parametrize("dependence", coverage.DEPENDENCE)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("split", Split)
def test_sessions_that_stop_at_the_wrong_look_err_less_than_alpha_however_the_votes_depend(
    split, correction, dependence
):
    for row in coverage.tempted(correction, dependence, 2000, split):
        assert row.measured <= ALPHA + 3 * standard_error(ALPHA, 2000), row


DRAWN = 4_000  # images whose numbers of draws differ


@pytest.mark.parametrize("dependence", coverage.DEPENDENCE)
@pytest.mark.parametrize("correction", Correction)
def test_n_by_the_guess_draws_and_draws_that_end_by_a_question_err_less_than_alpha(correction, dependence):
    rows = [*draws.by_guesses(correction, dependence, DRAWN), *draws.decided(correction, dependence, DRAWN)]
    assert len(rows) == 12 + 2 * (correction is INTERSECTION_UNION)
    for row in rows:
        assert row.measured <= ALPHA + 4 * standard_error(ALPHA, DRAWN), row


def test_worst_points_of_a_budget_use_alpha_up_and_those_of_a_question_most_of_it():
    budget = list(draws.by_guesses(INTERSECTION_UNION, "same", DRAWN))[:3]
    question = [row for row in draws.decided(INTERSECTION_UNION, "same", DRAWN) if "worst look kept" in row.branch][:4]
    for row in budget:
        assert row.measured == pytest.approx(ALPHA, abs=4 * standard_error(ALPHA, DRAWN)), row
    for row in question:
        assert row.measured > ALPHA / 2, row


def test_a_budget_that_is_measured_gives_images_alike_different_numbers_of_draws():
    point = Truth(draws.weakest(ALPHA), 1 - 1e-9, core=1)
    chosen = draws.chosen_by_guesses(point, INTERSECTION_UNION, 2000).draws
    assert np.unique(chosen, return_counts=True)[1].max() < 0.9 * len(chosen)
    assert set(chosen) <= set(draws.RUNGS)


def test_a_question_that_is_measured_ends_images_at_different_looks():
    truth = Truth(0.7, 0.9, core=1)
    seen = draws.at_looks(truth, 500)
    kept = draws.kept_looks(truth, INTERSECTION_UNION, *seen)
    c = draws.at_look(truth, kept, *seen, (1,) * len(draws.LOOKS))
    assert len(set(kept)) > 3
    assert (c.class_counts.sum(1) == c.draws).all()


def test_the_votes_depend_as_they_say():
    truth = Truth(0.7, 0.6, core=1)
    joint = {votes: replace(truth, votes=votes).joint() for votes in coverage.DEPENDENCE}
    for cells in joint.values():
        assert (cells[0] + cells[1], cells[0] + cells[2], cells.sum()) == pytest.approx((0.7, 0.6, 1.0))
    assert [cells[0] for cells in joint.values()] == pytest.approx([0.42, 0.6, 0.3])


def test_other_classes_share_what_is_left():
    c = draw(Truth(0.7, 0.4, core=1, others=3), 900, 2000)
    assert c.class_counts.shape == (2000, 4)
    assert (c.class_counts.sum(1) == 900).all()
    assert c.class_counts.mean(0) == pytest.approx([360, 180, 180, 180], rel=0.01)
    assert Truth(0.7, 0.4, core=1, others=3).answer == 0
    assert Truth(0.7, 0.3, core=1, others=2).answer == 1


@pytest.mark.parametrize("p", [[0.34, 0.33, 0.33], [0.4, 0.3, 0.3], [0.26, 0.25, 0.25, 0.24], [0.5, 0.499, 0.001]])
@pytest.mark.parametrize("n", [30, 1000])
def test_the_top_class_of_many_is_wrong_less_often_than_its_level(p, n):
    """docs/statistics.md proves alpha (m - 1) / m."""
    answer = predict_class(np.random.default_rng(3).multinomial(n, p, REPETITIONS), ALPHA)
    allowed = ALPHA * (len(p) - 1) / len(p)
    assert np.mean((answer != 0) & (answer != ABSTAIN)) <= allowed + 3 * standard_error(allowed)


@pytest.mark.parametrize("correction", Correction)
def test_a_theta_fixed_beforehand_needs_no_correction(correction):
    row = coverage.fixed_theta(correction, 2000)
    assert row.exact <= ALPHA
    assert abs(row.measured - row.exact) <= 4 * standard_error(row.exact, 2000)


@pytest.mark.parametrize("thresholds", [101, 1001])
def test_simultaneous_holds_for_a_theta_chosen_after_looking(thresholds):
    assert coverage.chosen_theta(SIMULTANEOUS, thresholds, 1000).measured <= ALPHA


# --- what must fail, so that the checks above mean something -----------------------------------------------------


def assert_fails(row: coverage.Row, repetitions: int = REPETITIONS) -> None:
    assert row.measured > ALPHA + 4 * standard_error(ALPHA, repetitions), row


def test_spending_alpha_twice_where_core_was_guessed_would_fail():
    """The two ways to the same wrong answer add up: intersection-union stops at s_hat = 1."""
    assert_fails(coverage.core_guessed(INTERSECTION_UNION, REPETITIONS, 2 * ALPHA))


def test_one_sided_p_values_would_fail():
    """At a tie no class is the smoothed model's; one-sided tests answer twice as often as they may."""
    two_sided, one_sided = (coverage.answers_at_a_tie(REPETITIONS, level) for level in (ALPHA, 2 * ALPHA))
    assert_covers(two_sided)
    assert_fails(one_sided)
    assert one_sided.measured == pytest.approx(2 * two_sided.measured, rel=0.1)


def test_the_printed_or_would_fail():
    row = coverage.printed_or(REPETITIONS)
    assert_fails(row)
    assert row.measured == pytest.approx(row.exact, abs=0.02)


@pytest.mark.parametrize("correction", [BONFERRONI, INTERSECTION_UNION])
def test_a_theta_chosen_after_looking_would_fail_without_simultaneous(correction):
    assert_fails(coverage.chosen_theta(correction, 101, 1000), 1000)


def test_looks_that_each_spend_alpha_would_fail():
    for row in coverage.tempted(INTERSECTION_UNION, "same", 2000, None):
        assert_fails(row, 2000)


def test_n_chosen_by_the_estimating_draws_would_fail():
    """A bound at full alpha of as many draws as these draws themselves made somebody want."""
    rows = draws.unsound(DRAWN)
    assert len(rows) == 5
    for row in rows:
        assert row.measured > 2 * ALPHA, row


def test_an_uncorrected_error_would_be_noticed():
    """The same truth at twice the level errs twice as often: the comparison with the exact error has power."""
    truth, n = Truth(0.5 + 1e-9, 0.5 - 1e-9, core=0), coverage.tightest_n(ALPHA)
    doubled = wrong_certificates(truth, draw(truth, n, REPETITIONS), 2 * ALPHA, INTERSECTION_UNION)
    assert doubled > tail(n, ALPHA) + 10 * standard_error(ALPHA)


# --- from noise to answer --------------------------------------------------------------------------------------

SIGMA = 0.5
THETAS = np.array([0.5])


@dataclass(frozen=True)
class LinearAces:
    """ACES of linear networks in the plane: classes by the largest of three scores, selection by a half-space.

    ``weights`` [3, 2], ``bias`` [3]; selected where ``select @ x + offset`` > 0. The core answers a class of its own,
    so that no change of the selection goes unnoticed. Smoothed with SIGMA, all is a Gaussian orthant probability.
    """

    weights: np.ndarray
    bias: np.ndarray
    select: np.ndarray
    offset: float

    CORE = 3

    @classmethod
    def random(cls, rng: np.random.Generator) -> "LinearAces":
        return cls(rng.normal(size=(3, 2)), rng.normal(size=3) / 3, rng.normal(size=2), float(rng.uniform(0, 1)))

    def votes(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class [K] and selection bool [K] of points [K, 2]."""
        return (points @ self.weights.T + self.bias).argmax(1), points @ self.select + self.offset > 0

    def class_probabilities(self, x: np.ndarray) -> np.ndarray:
        return np.array([self._probability(x, c) for c in range(3)])

    def _probability(self, x: np.ndarray, c: int) -> float:
        """P(score c exceeds both others at x + noise): two half-planes under a Gaussian."""
        others = [k for k in range(3) if k != c]
        normals = self.weights[c] - self.weights[others]
        margins = normals @ x + self.bias[c] - self.bias[others]
        return float(multivariate_normal.cdf(margins, cov=SIGMA**2 * normals @ normals.T))

    def select_probability(self, x: np.ndarray) -> float:
        return float(norm.cdf((self.select @ x + self.offset) / (SIGMA * np.linalg.norm(self.select))))

    def answer(self, x: np.ndarray) -> int:
        """F_ACES(x), exactly."""
        return int(self.class_probabilities(x).argmax()) if self.select_probability(x) > 0.5 else self.CORE

    def sample(self, images: np.ndarray, n0: int, n: int, rng: np.random.Generator) -> Composition:
        """Counts from Gaussian noise, as the engine would draw them; the selection shares the noise."""
        guess = [self._counts(x + SIGMA * rng.normal(size=(n0, 2))) for x in images]
        estimate = [self._counts(x + SIGMA * rng.normal(size=(n, 2))) for x in images]
        size = len(images)
        return Composition(
            index=np.arange(size), label=np.zeros(size, int), core=np.full(size, self.CORE), sigma=SIGMA, n0=n0, n=n,
            class_counts0=np.array([c for c, _ in guess]), class_counts=np.array([c for c, _ in estimate]),
            sigma_select=SIGMA, n0_select=n0, n_select=n, thetas=THETAS,
            select_counts0=np.array([s for _, s in guess]), select_counts=np.array([s for _, s in estimate]),
            score_median=np.full(size, np.nan),
        )  # fmt: skip

    def _counts(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes, selected = self.votes(points)
        return np.bincount(classes, minlength=4), np.array([selected.sum()])


def attack(aces: LinearAces, x: np.ndarray, radius: float, steps: int = 20) -> np.ndarray:
    """Projected gradient descent from x on the smoothed margin of its class, within the ball: the last point."""
    answer, point = aces.answer(x), x.copy()

    def margin(at: np.ndarray) -> float:
        p = aces.class_probabilities(at)
        return float(p[answer] - np.delete(p, answer).max())

    for _ in range(steps):
        slope = np.array([margin(point + h) - margin(point - h) for h in 1e-4 * np.eye(2)])
        point = point - radius / 4 * slope / max(float(np.linalg.norm(slope)), 1e-12)
        point = x + (point - x) * min(1.0, radius / max(float(np.linalg.norm(point - x)), 1e-12))
    return point


@pytest.fixture(scope="module")
def attacked() -> list[tuple[LinearAces, np.ndarray, int, float]]:
    """(network, image, certified class, certified radius) of 30 certified images of 10 random systems."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(10):
        aces = LinearAces.random(rng)
        images = rng.normal(size=(12, 2)) * 0.7
        answer = certify(aces.sample(images, 100, 2000, rng), THETAS, 0.001)
        certified = np.flatnonzero(answer.outcome[:, 0] == Outcome.CERTIFIED)[:3]
        found += [(aces, images[i], int(answer.c_hat[i]), float(answer.radius[i, 0])) for i in certified]
    assert len(found) >= 25
    return found


def test_no_attack_changes_an_answer_inside_its_radius(attacked):
    for aces, x, answer, radius in attacked:
        inside = 0.9999 * radius
        towards_core = x - inside * aces.select / np.linalg.norm(aces.select)  # the steepest way for a half-space
        for point in (x, towards_core, attack(aces, x, inside)):
            assert aces.answer(point) == answer


def test_the_attack_finds_what_lies_outside(attacked):
    """Just beyond the selection's boundary the core answers; at three times Theorem 2.1's radius every class falls."""
    for aces, x, answer, _ in attacked:
        to_core = (aces.select @ x + aces.offset) / np.linalg.norm(aces.select)
        assert aces.answer(x - 1.001 * to_core * aces.select / np.linalg.norm(aces.select)) == aces.CORE
        reach = SIGMA * norm.ppf(aces.class_probabilities(x)[answer])
        assert aces.class_probabilities(attack(aces, x, 3 * reach)).argmax() != answer


@pytest.mark.parametrize("correction", Correction)
def test_answers_from_real_noise_are_wrong_at_most_alpha_of_the_time(correction):
    """Guess and estimate both drawn, the two networks on the same noise, one image near both boundaries."""
    aces = LinearAces(np.array([[1.0, 0], [-1, 0], [0, 1]]), np.array([0, 0, -9.0]), np.array([1.0, 0.2]), -0.01)
    x = np.array([0.03, 0.05])  # P(class 0) = P(selected) = 0.52
    c = aces.sample(np.tile(x, (4000, 1)), 10, 200, np.random.default_rng(6))
    certificates, predictions = certify(c, THETAS, ALPHA, correction), predict(c, THETAS, ALPHA)
    true_radius = min(SIGMA * norm.ppf(aces.select_probability(x)), SIGMA * norm.ppf(aces.class_probabilities(x).max()))
    answer = certificates.prediction()[:, 0]
    wrong = (answer != ABSTAIN) & ((answer != aces.answer(x)) | (certificates.radius[:, 0] > true_radius))
    predicted = predictions.prediction()[:, 0]
    assert wrong.mean() <= ALPHA + 3 * standard_error(ALPHA, 4000)
    assert wrong.any() or correction is SIMULTANEOUS  # the image is near enough to err now and then
    assert np.mean((predicted != ABSTAIN) & (predicted != aces.answer(x))) <= ALPHA


def test_metrics_of_repetitions_are_their_shares():
    """The metrics see the same: certified accuracy at 0 is the share of right answers."""
    truth = Truth(0.9, 0.8, core=1)
    c = draw(truth, 500, 1000)
    got = evaluate(c, THETAS, alpha=ALPHA, radii=[0.0, truth.radius])
    right = certify(c, THETAS, ALPHA).prediction()[:, 0] == truth.answer
    assert got.certified_accuracy[0, 0] == 100 * right.mean()
    assert got.certified_accuracy[0, 1] <= 100 * ALPHA + 300 * standard_error(ALPHA, 1000)


# --- intervals over the choice of images -------------------------------------------------------------------------

SAMPLES = 400
LEAST = 0.94  # of 95 %


def assert_covered(cell: intervals.CoverageCell, samples: int = SAMPLES) -> None:
    assert cell.covered >= LEAST - 3 * standard_error(LEAST, samples), cell


@pytest.mark.parametrize("images", [1, 7, 20, 100, 333, 500, 2000])
def test_intervals_of_rates_cover_at_every_rate(images):
    for cell in intervals.rates(images):
        assert cell.covered >= LEAST, cell
        assert cell.usual < 0.9  # Wilson's alone, where the rate is next to 0


@pytest.mark.parametrize("share", intervals.SHARES)
@pytest.mark.parametrize("images", [100, 500])
def test_intervals_of_acr_cover_however_few_images_are_certified(images, share):
    for cell in intervals.acr(images, share, SAMPLES):
        assert_covered(cell)


def test_intervals_of_acr_cover_over_many_images():
    for cell in intervals.acr(10_000, 0.001, 200):
        assert_covered(cell, 200)


@pytest.mark.parametrize("population", intervals.PAIRED, ids=lambda population: population.name)
def test_intervals_of_paired_differences_cover(population):
    for images in (100, 500):
        assert intervals.means(population, images, SAMPLES)[0] >= LEAST - 3 * standard_error(LEAST, SAMPLES)


@pytest.mark.parametrize("true", intervals.AREAS)
@pytest.mark.parametrize("split", intervals.SPLITS, ids=str)
def test_intervals_of_areas_cover_next_to_1_and_with_few_images(split, true):
    for cell in intervals.areas(*split, true, SAMPLES // 2):
        assert_covered(cell, SAMPLES // 2)


@pytest.mark.parametrize("values", [(0.0, 0.3, 1.0), (0.0, 0.05, 1.0), (0.2, 0.3, 0.9), (0.0, 1.0, 1.0)])
def test_every_distribution_on_three_values_is_covered_exactly(values):
    """All 91 samples of 12 images with their probabilities, over a grid of distributions: at least 95 %."""
    images, grid = 12, np.linspace(0.02, 0.98, 25)
    times = np.array([(i, j, images - i - j) for i in range(images + 1) for j in range(images + 1 - i)])
    low, high = np.array([mean_interval(np.repeat(values, drawn), 0.0, 1.0) for drawn in times]).T
    for p in ((a, b, 1 - a - b) for a in grid for b in grid if a + b < 0.999):
        held = (low <= np.dot(p, values)) & (np.dot(p, values) <= high)
        assert multinomial.pmf(times[held], images, p).sum() >= 0.95


def test_the_usual_intervals_would_fail():
    """The bootstrap where few images are certified, DeLong's next to 1: the checks above have power."""
    assert all(cell.usual < 0.9 for cell in intervals.acr(500, 0.001, SAMPLES))
    assert all(cell.usual < 0.9 for cell in intervals.areas(250, 250, 0.999, SAMPLES // 2))
    assert intervals.means(intervals.changes(0.005, 0.0), 100, SAMPLES)[1] < 0.9


def test_the_populations_have_the_means_they_claim():
    rng = np.random.default_rng(8)
    for population in (*intervals.radii(0.2), *intervals.PAIRED):
        drawn = population.draw(rng, 200_000)
        assert drawn.mean() == pytest.approx(population.mean, abs=5 * drawn.std() / np.sqrt(200_000))
        assert population.low <= drawn.min() <= drawn.max() <= population.high
    for name, scores in intervals.SCORES.items():
        early, late = scores(rng, 20_000, 20_000, 0.95)
        assert intervals.area(early, late) == pytest.approx(0.95, abs=0.006), name
