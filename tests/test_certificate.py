"""Certificates: what is issued passes its check, and nothing that was changed does."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from engine.aces import Correction, Outcome, certify
from engine.certificate import (
    Certificate,
    CertificateError,
    Networks,
    Subject,
    check,
    from_json,
    grey_levels,
    issue,
    rests_on,
    to_json,
)
from engine.draws import Draws
from engine.errors import AcesError
from engine.evidence import Evidence
from engine.looks import schedule
from engine.pictures import Framing, tensor_sha256
from engine.plan import Mode, Plan
from engine.runs import NetworkInfo

TENSOR = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
SUBJECT = Subject("f" * 64, tensor_sha256(TENSOR), (1, 8, 8), Framing(x=0.3))
NETWORKS = Networks(
    "toy", ("dark", "grey", "bright"), NetworkInfo("noisy", "a" * 64), NetworkInfo("plain", "b" * 64), "float32", "cpu"
)


def draws(k: int, p: tuple[float, ...] = (0.9, 0.06, 0.04), low: float = 0.0, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    return Draws(rng.choice(3, k, p=p).astype(np.uint16), rng.uniform(low, low + 0.32, k).astype(np.float32))


def evidence(k: int = 10_000, core: int = 0, **kind: object) -> Evidence:
    return Evidence(3, core, draws(100, seed=1, **kind), draws(k, **kind))


def made(plan: Plan, **kind: object) -> Certificate:
    return issue(evidence(**kind), plan, SUBJECT, NETWORKS, seed=7)


PLAN = Plan(sigma=0.5, theta=0.3)
KINDS = {
    "certified": {},
    "core": {"low": 0.6, "core": 2},
    "consensus": {"low": 0.14},
    "abstain": {"low": 0.14, "core": 2},
}


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", KINDS)
def test_every_outcome_passes_its_own_check_after_a_round_trip(kind, mode, correction):
    plan = dataclasses.replace(PLAN, mode=mode, correction=correction)
    certificate = made(plan, **KINDS[kind])
    assert certificate.outcome == kind
    again = from_json(to_json(certificate))
    assert again == certificate
    check(again, TENSOR)


def test_fixed_n_is_the_plain_bound():
    plan = dataclasses.replace(PLAN, mode=Mode.FIXED)
    certificate = made(plan)
    plain = certify(evidence().composition(0.5, 10_000), [0.3], plan.alpha, plan.correction)
    assert certificate.outcome == Outcome(plain.outcome[0, 0]).label
    assert certificate.radius == pytest.approx(plain.radius[0, 0], rel=1e-8)
    assert certificate.radius <= plain.radius[0, 0]
    assert len(certificate.looks) == 1


def test_stopping_early_gives_a_certificate_by_the_looks_so_far():
    certificate = made(PLAN, k=5_000)
    assert [look.n for look in certificate.looks] == [1000, 2000, 4000]
    assert 0 < certificate.radius < made(PLAN).radius
    check(certificate)


def test_a_radius_that_may_stop_early_is_a_little_smaller_than_the_plain_one():
    early, fixed = (made(dataclasses.replace(PLAN, mode=mode)).radius for mode in Mode)
    assert 0.97 * fixed < early < fixed


@pytest.mark.parametrize(("mode", "drawn"), [(Mode.EARLY, 999), (Mode.FIXED, 9_999)])
def test_before_the_first_look_there_is_no_certificate(mode, drawn):
    with pytest.raises(AcesError, match="no certificate after"):
        made(dataclasses.replace(PLAN, mode=mode), k=drawn)


def test_the_certificate_says_what_it_promises_rounded_down():
    certificate = made(PLAN)
    assert certificate.statement.startswith("Certified dark: no change of the image with ℓ2 norm below 0.")
    assert "wrong with probability at most 0.001" in certificate.statement
    said = float(certificate.statement.split("below ")[1].split(",")[0])
    assert certificate.radius - 1e-3 < said <= certificate.radius


def tampered(field: str, value: object) -> Certificate:
    data = json.loads(to_json(made(PLAN)))
    place = data
    *path, last = field.split(".")
    for part in path:
        place = place[int(part)] if part.isdigit() else place[part]
    place[int(last) if last.isdigit() else last] = value
    return from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("radius", 0.9, "radius"),
        ("outcome", "core", "outcome"),
        ("prediction", 1, "prediction"),
        ("answer", "grey", "answer"),
        ("statement", "Certified for ever.", "statement"),
        ("core_answer", 5, "core_answer"),
        ("plan.alpha", 0.01, "radius"),
        ("plan.sigma", 1.0, "radius"),
        ("plan.mode", "fixed-n", "looks"),
        ("plan.theta", 0.2, "thetas"),
        ("plan.n", 5_000, "draws are recorded"),
        ("plan.n0", 200, "guess draws"),
        ("segments.1.class_counts", [1000, 0, 1], "do not add up"),
        ("segments.1.class_counts", [1000, 0, 0], "radius"),
        ("segments.1.draws", 999, "do not add up"),
        ("segments.2.start", 900, "start"),
        ("segments.1.select_counts", [1001], "do not add up"),
        ("looks.0.p_certify", 0.99, "p_certify"),
        ("looks", [], "looks"),
    ],
)
def test_whatever_is_changed_is_found(field, value, message):
    with pytest.raises(CertificateError, match=message):
        check(tampered(field, value))


@pytest.mark.parametrize(
    ("text", "where"),
    [("{}", "outcome"), ("no JSON", "JSON"), ('{"format": "aces-run"}', "outcome"), ("[]", "the file")],
)
def test_what_is_no_certificate_is_named(text, where):
    with pytest.raises(CertificateError, match=where):
        from_json(text)


@pytest.mark.parametrize(("field", "value"), [("plan.alpha", 2.0), ("plan.n", 10**12), ("version", 2), ("radius", "x")])
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(CertificateError, match=field.split(".")[0]):
        tampered(field, value)


def test_another_image_is_found():
    with pytest.raises(CertificateError, match="another image"):
        check(made(PLAN), TENSOR + 1)


def test_streams_are_named_by_the_tensor_and_never_by_a_data_set_index():
    other = dataclasses.replace(SUBJECT, tensor_sha256=tensor_sha256(TENSOR + 1))
    assert SUBJECT.index < 0
    assert SUBJECT.index != other.index


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


def test_the_ceiling_is_what_unanimous_draws_certify():
    for mode in Mode:
        plan = dataclasses.replace(PLAN, mode=mode, theta=0.5)
        certificate = made(plan, p=(1.0, 0.0, 0.0))
        assert certificate.radius == pytest.approx(plan.ceiling, rel=1e-8)


def test_the_smallest_n_is_the_first_that_certifies():
    plan = dataclasses.replace(PLAN, mode=Mode.FIXED, theta=0.5)
    enough, few = (dataclasses.replace(plan, n=n) for n in (plan.smallest_n, plan.smallest_n - 1))
    unanimous = {"p": (1.0, 0.0, 0.0)}
    assert made(enough, k=enough.n, **unanimous).outcome == "certified"
    assert made(few, k=few.n, **unanimous).radius == 0


def test_a_radius_in_grey_levels_is_spread_over_all_values():
    assert grey_levels(1.0, (1, 28, 28)) == pytest.approx(255 / 28)


@pytest.mark.parametrize(
    "wrong",
    [{"sigma": 0.0}, {"sigma": float("nan")}, {"theta": 1.5}, {"n": 0}, {"n0": 0}, {"alpha": 1.0}, {"mode": "maybe"},
     {"correction": "holm"}, {"n": 10**9}],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(AcesError):
        Plan(**{"sigma": 0.5, "theta": 0.3} | wrong)


def test_a_plan_looks_as_the_schedule_says_only_if_it_may_stop():
    assert Plan(0.5, 0.3, n=5_000).looks == schedule(5_000)
    assert Plan(0.5, 0.3, n=5_000, mode=Mode.FIXED).looks == (5_000,)
