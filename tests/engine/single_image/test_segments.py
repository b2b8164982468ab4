from __future__ import annotations

import pytest

from engine.single_image.certificate import check, rests_on
from engine.single_image.plan import Plan
from engine.statistics.corrections import Correction
from tests.engine.single_image.issued_toy import made


@pytest.mark.parametrize(
    ("theta", "correction", "thetas"),
    [
        (0.3, Correction.BONFERRONI, [0.3]),
        (0.3333, Correction.INTERSECTION_UNION, [0.333, 0.334]),
        (1.0, Correction.BONFERRONI, [1.0]),
    ],
)
def test_only_the_thresholds_that_the_answer_needs_are_recorded(theta, correction, thetas):
    assert rests_on(Plan(0.5, theta, correction=correction)).tolist() == thetas


def test_simultaneous_records_its_101_thresholds_and_answers_between_them():
    plan = Plan(0.5, 0.333, correction=Correction.SIMULTANEOUS)
    certificate = made(plan)
    assert len(certificate.thetas) == 101
    assert certificate.outcome == "certified"
    check(certificate)
