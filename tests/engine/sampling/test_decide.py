"""Draws that differ by image, sampled: by a budget and until decided; resumed, interrupted and beside other draws."""

import json
import random
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import numpy as np
import pytest

from cache.store import Store
from engine.records import runs
from engine.records.compose import compose
from engine.records.runs import SelectionRun, SmoothedRun
from engine.sampling.config import read_config
from engine.sampling.estimate import forecasts
from engine.sampling.executors import sample_shard, shards
from engine.sampling.precompute import precompute
from engine.statistics.aces import certify
from engine.statistics.deciding import Decider, RadiusQuestion, best_look
from engine.statistics.metrics import evaluate
from tests import toy
from tests.engine.sampling.sampled_runs import make, sampled, selecting

pytestmark = pytest.mark.usefixtures("toy_dataset")

BUDGET = "budget: {lose: 20%, least: 100, theta: 1}\n"
DECIDE = "decide: {r: [0.05, 0.2]}\n"


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def config(folder, extra: str, n: int = 1200):
    """The toy config on all 24 images, with a budget or a question."""
    folder.mkdir(exist_ok=True)
    path = toy.config(folder, n=n, every=1)
    path.write_text(path.read_text() + extra)
    return path


@pytest.mark.parametrize("extra", [BUDGET, DECIDE], ids=["budget", "decide"])
def test_every_image_has_the_first_draws_of_its_stream(tmp_path, extra):
    (plain, core), _ = make(config(tmp_path / "plain", ""), tmp_path / "a")
    (some, _), reports = make(config(tmp_path / "some", extra), tmp_path / "b")
    assert isinstance(some, SmoothedRun)
    assert some.draws is not None
    assert (some.meta.version, some.meta.n) == ((2, 1200) if extra == BUDGET else (3, 1200))
    assert some.meta.n_mean == some.draws.mean() < 1200
    assert np.array_equal(some.class_counts0, plain.class_counts0)
    assert np.array_equal(some.class_counts.sum(1), some.draws)
    full = some.draws == 1200
    assert np.array_equal(some.class_counts[full], plain.class_counts[full])
    for n in sorted(set(some.draws.tolist()))[:2]:
        (fewer, _), _ = make(config(tmp_path / f"n{n}", "", n=n), tmp_path / f"of{n}")
        rows = some.draws == n
        assert np.array_equal(some.class_counts[rows], fewer.class_counts[rows])
        assert np.array_equal(some.select_counts[rows], fewer.select_counts[rows])
    assert sampled(reports[-1:]) >= some.draws.sum()
    assert reports[-1].images == 24
    assert reports[-1].saved == 24 * 1200 - (some.draws.sum() if extra == BUDGET else reports[-1].draws)
    assert evaluate(compose(some, core), [1.0]).acr[0] <= evaluate(compose(plain, core), [1.0]).acr[0] + 0.02


@pytest.mark.parametrize("extra", [BUDGET, DECIDE], ids=["budget", "decide"])
def test_an_interrupted_run_ends_byte_identical(tmp_path, extra):
    path = config(tmp_path / "some", extra)
    (whole, _), _ = make(path, tmp_path / "a")
    for left in (1, 30):
        with Store(tmp_path / f"b{left}") as store:
            seen = []

            def interrupt(report, seen=seen, left=left):
                seen.append(report)
                if len(seen) == left:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                precompute(read_config(path), store, report=interrupt)
        (again, _), _ = make(path, tmp_path / f"b{left}")
        assert runs.to_bytes(again) == runs.to_bytes(whole)
    _, reports = make(path, tmp_path / "a")
    assert reports == []


def _work(path: Path, store: Path, started: EventType) -> None:
    """What the killed processes do."""
    toy.register()
    with Store(store) as opened:
        started.set()
        precompute(read_config(path), opened)


@pytest.mark.slow
@pytest.mark.parametrize("extra", [BUDGET, DECIDE], ids=["budget", "decide"])
def test_kill_9_at_random_instants_changes_no_byte(tmp_path, forkserver, extra):
    path = config(tmp_path / "some", extra, n=20_000)
    (undisturbed, _), _ = make(path, tmp_path / "undisturbed")
    rng, kills = random.Random(0), 0
    for _ in range(20):
        started = forkserver.Event()
        process = forkserver.Process(target=_work, args=(path, tmp_path / "killed", started))
        process.start()
        assert started.wait(60)
        process.join(rng.uniform(0.01, 0.4))
        if process.exitcode == 0:
            break
        process.kill()
        process.join()
        kills += 1
    (resumed, _), _ = make(path, tmp_path / "killed")
    assert kills >= 3
    assert resumed.draws.min() < 20_000
    assert runs.to_bytes(resumed) == runs.to_bytes(undisturbed)


def test_what_is_left_is_no_longer_thought_to_be_less_than_it_is_at_the_end(tmp_path):
    """Images that end early are the easy ones: those that are left take more than these did."""
    path = config(tmp_path / "some", "decide: {r: [0.05, 0.4]}\n", n=10_000)
    _, reports = make(path, tmp_path / "a")
    drawn = reports[-1].draws
    assert reports[-1].total == drawn
    late = [report.total / drawn for report in reports[len(reports) // 2 :]]
    assert min(late) > 0.7
    assert max(late) < 1.5
    assert all(report.draws <= report.total for report in reports)


@pytest.mark.parametrize("extra", [BUDGET, DECIDE], ids=["budget", "decide"])
def test_draws_that_are_there_change_nothing(tmp_path, extra):
    """A run of fixed n sampled more of every stream; what is taken of it is the same."""
    (whole, _), _ = make(config(tmp_path / "some", extra), tmp_path / "a")
    path = config(tmp_path / "plain", "")
    make(path, tmp_path / "b")
    with Store(tmp_path / "b") as store:
        store.remove("noisy")
    (again, _), reports = make(config(tmp_path / "other", extra), tmp_path / "b")
    assert sampled(reports) == 0
    assert runs.to_bytes(again) == runs.to_bytes(whole)


def test_an_executor_whose_shards_come_in_any_order_gives_the_same(tmp_path):
    path = config(tmp_path / "some", DECIDE)
    (whole, _), _ = make(path, tmp_path / "a")

    def backwards(source, wanted):
        for shard in reversed(list(shards(source, wanted))):
            yield from sample_shard(source, shard)

    with Store(tmp_path / "b") as store:
        again, _ = precompute(read_config(path), store, executor=backwards)
    assert runs.to_bytes(again) == runs.to_bytes(whole)


def test_what_was_decided_is_what_the_looks_say(tmp_path):
    (some, core), _ = make(config(tmp_path / "some", DECIDE), tmp_path / "b")
    told = some.meta.decided
    assert told == {
        "alpha": 0.001, "correction": "intersection-union", "r": [0.05, 0.2], "theta": 1.0, "t": 0.5,
        "looks": [50, 100, 200, 400, 800, 1200], "split": "half-last",
    }  # fmt: skip
    decider = Decider(RadiusQuestion((0.05, 0.2)), tuple(told["looks"]), 0.25)
    assert set(some.alpha_parts.tolist()) <= set(decider.parts)
    for row, n in enumerate(some.draws.tolist()):
        at = told["looks"].index(n)
        assert some.alpha_parts[row] == decider.parts[at]
        k = int(some.class_counts[row, some.class_counts0[row].argmax()])
        radius = certify(compose(some, core), [1.0]).radius[row, 0]
        assert decider.look(at, n, k).reached == sum(radius >= r for r in (0.05, 0.2))
    right = some.class_counts0.argmax(1) == some.label
    assert (some.draws[~right] == 50).all()
    assert best_look([decider.look(0, 50, 0)]) == 0


def test_a_selection_network_is_decided_by_its_own_votes(tmp_path):
    path = selecting(tmp_path, 2)
    path.write_text(path.read_text() + "decide: {r: 0.05, theta: 0.5}\n")
    (_, select, _), _ = make(path, tmp_path / "store")
    assert isinstance(select, SelectionRun)
    assert select.alpha_parts is not None
    assert np.array_equal(select.select_counts[:, -1], draws_of_selection := runs.draws_of(select))
    assert draws_of_selection.min() >= 50


def test_another_budget_is_other_work_and_is_recorded(tmp_path):
    store = tmp_path / "store"
    make(config(tmp_path / "one", BUDGET), store)
    (second, _), _ = make(config(tmp_path / "two", BUDGET.replace("20%", "0.05")), store)
    assert second.meta.budget["lose"] == 0.05
    assert second.meta.looked
    (third, _), reports = make(config(tmp_path / "two", BUDGET.replace("20%", "0.05")), store)
    assert reports == []
    assert third.meta == second.meta


def test_guess_draws_are_the_budgets_where_it_says_so(tmp_path):
    path = config(tmp_path / "one", "budget: {lose: 5%, n0: 80}\n")
    path.write_text(path.read_text().replace("n0: 50\n", ""))
    (run, _), _ = make(path, tmp_path / "store")
    assert run.meta.n0 == 80
    assert "n0" not in run.meta.budget


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (BUDGET + DECIDE, "budget measures and decide does not"),
        ("budget: {lose: 5%, n0: 80}\n", "n0 is 50, and 80 in budget"),
        ("budget: {lose: much}\n", "budget.lose"),
        ("budget: {at: nac}\n", "budget.at"),
        ("budget: {theta: [0.1, 0.2, 0.3]}\n", "budget.theta"),
        ("decide: {r: [-1]}\n", "decide.r"),
        ("decide: {theta: 1}\n", "decide.r"),
        ("decide: {r: 1, until: 2}\n", "unknown key 'until'"),
    ],
)
def test_rules_that_mean_nothing_are_named(tmp_path, extra, said, call):
    status, _, err = call("precompute", config(tmp_path / "one", extra), "--cache", tmp_path / "store")
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


def test_a_forecast_takes_the_guess_draws_and_no_others(tmp_path):
    path = config(tmp_path / "one", "")
    with Store(tmp_path / "store") as store:
        reports = []
        found = forecasts(
            read_config(path), store, report=reports.append, losses=(0.01, 0.5), question=RadiusQuestion((0.05,))
        )
        assert sampled(reports) == 24 * 50
        again = []
        forecasts(read_config(path), store, report=again.append, losses=(0.01,))
        assert again == []
    assert [one.rule for one in found] == ["n = 1,200 for every image", "lose 1 %", "lose 50 %", "decide r 0.05"]
    assert found[0].draws == 24 * 1200
    assert found[0].draws >= found[1].draws >= found[2].draws
    assert found[1].kept >= 0.99
    assert found[3].kept is None
    assert json.dumps([one.seconds for one in found])


def test_what_the_command_line_says_takes_the_place_of_the_configs_rule(tmp_path):
    question, budget = (read_config(config(tmp_path / name, extra)) for name, extra in (("a", DECIDE), ("b", BUDGET)))
    measured = question.with_rule(lose="1%")
    assert (measured.question, measured.rule.lose) == (None, 0.01)
    decided = budget.with_rule(decide="r=0.1", theta="0.4")
    assert (decided.rule, decided.question.theta) == (None, 0.4)
    assert budget.with_rule(lose="1%").rule.least == 100
