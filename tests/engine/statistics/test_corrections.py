import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AcesError
from engine.statistics.aces import certify
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.thresholds import usable_thresholds
from tests.engine.statistics.test_aces import NONE_OF_THE_101, ON_GRID, one_image


@pytest.mark.parametrize(
    ("correction", "guess_1", "guess_0"),
    [
        (Correction.BONFERRONI, (0.01, 0.01), (0.01, 0.01)),
        (Correction.INTERSECTION_UNION, (0.02, 0.02), (0.01, 0.01)),
        (Correction.SIMULTANEOUS, (0.02 / 202, 0.01), (0.02 / 202, 0.01)),
    ],
)
def test_levels_where_the_guess_is_certify_and_where_it_is_core(correction, guess_1, guess_0):
    spend = levels(correction, 0.02)
    assert (spend.select_1, spend.certify_1) == guess_1
    assert (spend.select_0, spend.certify_0) == guess_0


@pytest.mark.parametrize("correction", Correction)
@given(alpha=st.floats(1e-9, 0.5), looks=st.integers(1, 20))
def test_levels_scale_with_alpha(correction, alpha, looks):
    """Alpha shared among looks gives each bound its share of what it had: the proof of looks adds the levels up."""
    whole, shared = levels(correction, alpha), levels(correction, alpha / looks)
    for s_hat in (CORE, CERTIFY):
        np.testing.assert_allclose(np.multiply(looks, shared.of(s_hat)), whole.of(s_hat), rtol=1e-12)


def test_a_correction_that_is_not_registered_gets_nobody_elses_levels():
    for ask in (
        lambda: Correction("holm"),
        lambda: levels("holm", 0.02),
        lambda: usable_thresholds(ON_GRID, "holm"),
        lambda: certify(one_image(), 0.8, 0.05, "holm"),
    ):
        with pytest.raises(AcesError, match="unknown correction 'holm'; known: bonferroni, intersection-union, simul"):
            ask()


@pytest.mark.parametrize("correction", Correction)
def test_a_correction_may_be_named_by_its_text(correction):
    text = str(correction)
    assert levels(text, 0.02) == levels(correction, 0.02)
    stored = NONE_OF_THE_101
    assert np.array_equal(usable_thresholds(stored, text), usable_thresholds(stored, correction))


@pytest.mark.parametrize("correction", Correction)
def test_a_correction_is_its_name_wherever_it_is_written(correction):
    again = pickle.loads(pickle.dumps(correction))
    assert again is correction
    assert json.loads(json.dumps(correction)) == f"{correction}" == correction


def test_an_unknown_correction_lists_the_known_ones():
    with pytest.raises(
        AcesError, match="unknown correction 'holm'; known: bonferroni, intersection-union, simultaneous"
    ):
        Correction("holm")
