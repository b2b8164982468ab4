"""Components meet on ``index``, whatever their order, and only where they speak of the same images."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import AcesError
from engine.records.compose import Composition, compose
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics.aces import certify, predict
from tests.random_runs import core_of, selection, smoothed

CERTIFY = smoothed(images=12)
CORE = core_of(CERTIFY)
SELECT = selection(images=12)


def rows(run, keep):
    """The run with only these rows, in this order."""
    per_image = {name: value[keep] for name, value in vars(run).items() if np.ndim(value) and name != "thetas"}
    return replace(run, **per_image)


def renamed(run, **changes):
    return replace(run, meta=replace(run.meta, **changes))


def assert_same(a: Composition, b: Composition) -> None:
    for name, value in vars(a).items():
        assert np.array_equal(value, getattr(b, name), equal_nan=np.ndim(value) > 0), name


def test_each_component_brings_its_own_counts_and_noise():
    c = compose(CERTIFY, CORE, SELECT)
    assert len(c) == 12
    assert (c.sigma, c.n0, c.n) == (0.5, 11, 200)
    assert (c.sigma_select, c.n0_select, c.n_select) == (0.25, 7, 300)
    assert np.array_equal(c.class_counts, CERTIFY.class_counts)
    assert np.array_equal(c.class_counts0, CERTIFY.class_counts0)
    assert np.array_equal(c.select_counts, SELECT.select_counts)
    assert np.array_equal(c.select_counts0, SELECT.select_counts0)
    assert np.array_equal(c.core, CORE.prediction)
    assert np.array_equal(c.label, CERTIFY.label)


@pytest.mark.parametrize(("of_certify", "of_select"), [(None, 3), (3, None), (3, 4), (None, None)])
def test_digits_belong_to_a_component(of_certify, of_select):
    certification, selected = renamed(CERTIFY, radius_digits=of_certify), renamed(SELECT, radius_digits=of_select)
    c, own = compose(certification, CORE, selected), compose(certification, CORE)
    assert (c.radius_digits, c.radius_digits_select) == (of_certify, of_select)
    assert (own.radius_digits, own.radius_digits_select) == (of_certify, of_certify)


def test_without_a_selection_run_the_certification_networks_entropies_select():
    run = replace(CERTIFY, entropy_median=np.linspace(0, 1, 12))
    c = compose(run, CORE)
    assert np.array_equal(c.select_counts, run.select_counts)
    assert np.array_equal(c.score_median, run.entropy_median)
    assert (c.sigma_select, c.n0_select, c.n_select) == (0.5, 11, 200)


def test_rows_meet_on_index_in_any_order():
    rng = np.random.default_rng(0)
    shuffled = [rows(run, rng.permutation(12)) for run in (CERTIFY, CORE, SELECT)]
    assert_same(compose(*shuffled), compose(CERTIFY, CORE, SELECT))


def test_only_shared_images_are_kept():
    c = compose(rows(CERTIFY, slice(0, 9)), rows(CORE, slice(3, None)), rows(SELECT, [11, 8, 2, 5, 4]))
    assert c.index.tolist() == (7 * np.array([4, 5, 8])).tolist()
    assert np.array_equal(c.class_counts, CERTIFY.class_counts[[4, 5, 8]])
    assert np.array_equal(c.select_counts, SELECT.select_counts[[4, 5, 8]])
    assert np.array_equal(c.core, CORE.prediction[[4, 5, 8]])


def test_any_core_composes_with_any_certification_network():
    """The paper's section 3: components are evaluated apart and combined in retrospect."""
    other = replace(CORE, prediction=(CORE.prediction + 1) % 3)
    a, b = compose(CERTIFY, CORE), compose(CERTIFY, other)
    assert np.array_equal(certify(a, 1.0).radius, certify(b, 1.0).radius)
    assert not np.array_equal(a.core, b.core)


def test_recorded_decisions_are_used_where_both_components_recorded_theirs():
    decided = replace(CERTIFY, predict_class=np.ones(12, int))
    both = replace(SELECT, predict_select=np.ones((12, 11), int))
    c = compose(decided, CORE, both)
    assert predict(c, 0.5).prediction().tolist() == [[1]] * 12
    for only_one in (compose(decided, CORE, SELECT), compose(CERTIFY, CORE, both)):
        assert only_one.predict_class is None
        assert only_one.predict_select is None


def test_a_selection_of_rows_keeps_every_array_in_step():
    c = compose(CERTIFY, CORE, SELECT).rows(slice(2, 5))
    assert_same(c, compose(rows(CERTIFY, slice(2, 5)), rows(CORE, slice(2, 5)), rows(SELECT, slice(2, 5))))


# --- what does not fit -----------------------------------------------------------------------------------------


def refusal(certify_run: SmoothedRun, core_run: CoreRun, select_run: SelectionRun | None = None) -> str:
    with pytest.raises(AcesError) as caught:
        compose(certify_run, core_run, select_run)
    return str(caught.value)


def test_different_labels_for_one_index_are_refused_by_image_and_label():
    """Two projects number the ImageNet validation set differently: joined on index alone, the images would mix."""
    other = CORE.label.copy()
    other[[4, 7]] = (other[[4, 7]] + 1) % 3
    said = refusal(CERTIFY, replace(CORE, label=other))
    assert said.startswith(f"image 28 has label {CERTIFY.label[4]} in 'a smoothed run' and {other[4]} in 'a core run'")
    assert "(2 of 12 differ)" in said


def test_different_labels_of_images_that_are_not_shared_do_not_matter():
    other = CORE.label.copy()
    other[4] = (other[4] + 1) % 3
    assert len(compose(rows(CERTIFY, slice(5, None)), replace(CORE, label=other))) == 7


def copied(run, digest):
    return renamed(run, extra={"images": digest})


@pytest.mark.parametrize(("a", "b"), [("one", "other"), ("one", None), (None, "other")])
def test_a_selection_run_of_another_copy_is_refused_though_it_holds_no_labels(a, b):
    said = refusal(copied(CERTIFY, a), CORE, copied(SELECT, b))
    assert said.startswith("'a smoothed run' and 'a selection run' were evaluated on different copies of toy")


def test_a_selection_run_of_the_same_copy_composes_also_where_it_saw_fewer_images_of_it():
    assert len(compose(copied(CERTIFY, "one"), CORE, copied(SELECT, "one"))) == 12
    assert len(compose(copied(CERTIFY, "of 12"), CORE, copied(rows(SELECT, slice(4)), "of 4"))) == 4


def test_runs_without_a_shared_image_are_refused_by_name():
    apart = replace(CORE, index=CORE.index + 1)
    assert refusal(CERTIFY, apart) == "'a smoothed run', 'a core run' share no images: sample them on the same subset"
    said = refusal(rows(CERTIFY, slice(0, 6)), CORE, rows(SELECT, slice(6, None)))
    assert said.startswith("'a smoothed run', 'a core run', 'a selection run' share no images")


@pytest.mark.parametrize("changes", [{"dataset": "cifar10"}, {"split": "train"}])
def test_runs_of_different_datasets_or_splits_are_refused(changes):
    run, core, select = (renamed(r, split="test") for r in (CERTIFY, CORE, SELECT))
    for said in (refusal(run, renamed(core, **changes), select), refusal(run, core, renamed(select, **changes))):
        assert "toy/test" in said
        assert next(iter(changes.values())) in said


def test_a_run_that_does_not_say_its_split_composes_with_any():
    assert len(compose(renamed(CERTIFY, split="test"), CORE, renamed(SELECT, split="test"))) == 12
    said = refusal(CERTIFY, renamed(CORE, split="test"), renamed(SELECT, split="train"))
    assert "'a core run' is of toy/test, 'a selection run' of toy/train" in said


def test_different_numbers_of_classes_are_refused():
    assert "knows 3 classes, 'a core run' 10" in refusal(CERTIFY, renamed(CORE, num_classes=10))


def test_a_selection_network_may_have_its_own_number_of_classes():
    assert SELECT.meta.num_classes == 2
    assert len(compose(CERTIFY, CORE, SELECT)) == 12
