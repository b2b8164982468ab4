"""Certificates: what is issued passes its check, and nothing that was changed does."""

from __future__ import annotations

import dataclasses
import json

import pytest
from scipy.stats import norm

from engine.errors import AcesError
from engine.single_image import certificate as module
from engine.single_image.certificate import Certificate, CertificateError, check, from_json, implied, to_json
from engine.single_image.plan import Mode
from engine.statistics.aces import Outcome, certify
from engine.statistics.corrections import Correction
from engine.statistics.looks import Split
from engine.statistics.margin import Bound
from tests.engine.single_image.issued_toy import KINDS, MARGIN, PLAN, TENSOR, evidence, made
from tests.forge import anew


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
    plain = certify(evidence().composition(plan, 10_000), [0.3], plan.alpha, plan.correction)
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


@pytest.mark.parametrize("above", [1e-8, 1e-9, 1e-3])
def test_not_the_smallest_excess_of_a_radius_or_a_bound_is_allowed(above):
    certificate = made(PLAN)
    for changed in (
        dataclasses.replace(certificate, radius=certificate.radius + above),
        with_look(certificate, p_select=certificate.looks[-1].p_select + above),
        with_look(certificate, p_certify=certificate.looks[-1].p_certify + above),
    ):
        with pytest.raises(CertificateError, match=r"radius|p_select|p_certify"):
            check(changed)


def with_look(certificate: Certificate, **fields: float) -> Certificate:
    *before, last = certificate.looks
    return dataclasses.replace(certificate, looks=(*before, dataclasses.replace(last, **fields)))


@pytest.mark.parametrize("off", [1 + 9e-13, 1 - 9e-13])
@pytest.mark.parametrize("seed", range(20))
def test_another_scipy_whose_last_bits_differ_finds_no_excess(seed, off, monkeypatch):
    """Issued here, checked where every radius and every bound comes out a little larger or smaller."""
    certificate = made(dataclasses.replace(PLAN, sigma=0.5 + 0.01 * seed))
    answer, bounds = module.answer_at, module.bounds_of
    monkeypatch.setattr(module, "answer_at", lambda *a: dataclasses.replace(answer(*a), radius=off * answer(*a).radius))
    monkeypatch.setattr(
        module,
        "bounds_of",
        lambda *a: tuple(
            dataclasses.replace(look, p_select=off * look.p_select, p_certify=off * look.p_certify)
            for look in bounds(*a)
        ),
    )
    check(certificate)


def test_what_is_written_is_never_more_than_what_was_computed():
    certificate = made(PLAN)
    computed = evidence().bounds(PLAN)
    for written, look in zip(certificate.looks, computed, strict=True):
        assert 0 <= look.p_select - written.p_select < 2e-9
        assert 0 <= look.p_certify - written.p_certify < 2e-9
    assert 0 <= float(evidence().answer(PLAN).radius[0, 0]) - certificate.radius < 2e-9


@pytest.mark.parametrize(
    ("text", "where"),
    [("{}", "outcome"), ("no JSON", "JSON"), ('{"format": "aces-run"}', "outcome"), ("[]", "the file")],
)
def test_what_is_no_certificate_is_named(text, where):
    with pytest.raises(CertificateError, match=where):
        from_json(text)


@pytest.mark.parametrize(("field", "value"), [("plan.alpha", 2.0), ("plan.n", 10**12), ("version", 7), ("radius", "x")])
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(CertificateError, match=field.split(".")[0]):
        tampered(field, value)


def test_another_image_is_found():
    with pytest.raises(CertificateError, match="another image"):
        check(made(PLAN), TENSOR + 1)


@pytest.mark.parametrize(("smoothing", "share"), [("gaussian", 8), ("uniform", 64)])
def test_a_radius_implies_one_for_every_pixel_value(smoothing, share):
    certificate = made(dataclasses.replace(PLAN, smoothing=smoothing))
    assert 0 < implied(certificate) == pytest.approx(certificate.radius / share)


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_under_uniform_noise_says_so_and_is_of_version_3(kind, correction):
    plan = dataclasses.replace(PLAN, smoothing="uniform", correction=correction)
    certificate = made(plan, **KINDS[kind])
    gaussian = made(dataclasses.replace(plan, smoothing="gaussian"), **KINDS[kind])
    assert (certificate.version, gaussian.version) == (3, 2)
    assert certificate.outcome == gaussian.outcome == kind
    assert ("ℓ1 norm" in certificate.statement) == (kind == "certified")
    text = to_json(certificate)
    assert json.loads(text)["plan"]["smoothing"] == "uniform"
    assert "smoothing" not in to_json(gaussian)  # as certificates were before there was other noise
    again = from_json(text)
    assert again == certificate
    check(again, TENSOR)
    assert certificate.streams != gaussian.streams
    if kind == "certified":
        p = min(certificate.looks[-1].p_select, certificate.looks[-1].p_certify)
        assert certificate.radius == pytest.approx(2 * 3**0.5 * 0.5 * (p - 0.5), rel=1e-7)


@pytest.mark.parametrize("smoothing", ["gaussian", "uniform"])
@pytest.mark.parametrize("t", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("mode", Mode)
def test_a_certificate_by_a_share_of_the_votes_says_so_and_is_of_version_4(t, smoothing, mode):
    plan = dataclasses.replace(PLAN, t=t, smoothing=smoothing, mode=mode)
    found = {made(plan, **kind).outcome: made(plan, **kind) for kind in KINDS.values()}
    assert len(found) > 1
    for certificate in found.values():
        assert certificate.version == 4
        assert json.loads(to_json(certificate))["plan"]["t"] == t
        again = from_json(to_json(certificate))
        assert again == certificate
        check(again, TENSOR)
        assert certificate.streams != made(dataclasses.replace(plan, t=0.5)).streams
    assert '"t"' not in to_json(made(PLAN))  # as certificates were before there was another share


def test_by_a_smaller_share_the_selection_reaches_further():
    half = made(PLAN, **KINDS["certified"])
    tenth = made(dataclasses.replace(PLAN, t=0.1), **KINDS["certified"])
    p_select, p_certify = tenth.looks[-1].p_select, tenth.looks[-1].p_certify
    radius = 0.5 * min(norm.ppf(p_select) - norm.ppf(0.1), norm.ppf(p_certify))
    assert tenth.radius == pytest.approx(radius, rel=1e-6)
    assert tenth.radius >= half.radius


def test_the_share_of_a_certificate_cannot_be_exchanged():
    tenth = made(dataclasses.replace(PLAN, t=0.1), **KINDS["certified"])
    for t in (0.05, 0.9):
        lied = dataclasses.replace(tenth, plan=dataclasses.replace(tenth.plan, t=t))
        assert lied.streams != tenth.streams  # drawn again, no vote would be as it is
    short = made(dataclasses.replace(PLAN, t=0.1), low=0.14)  # whose radius is the selection's
    for t in (0.05, 0.9):
        with pytest.raises(CertificateError, match=r"outcome|radius"):
            check(dataclasses.replace(short, plan=dataclasses.replace(short.plan, t=t)))
    with pytest.raises(CertificateError, match=r"plan\.t: version 3 knows no such entry"):
        check(dataclasses.replace(tenth, version=3))
    with pytest.raises(CertificateError, match="version: of this plan it is 2, and not 4"):
        check(dataclasses.replace(made(PLAN), version=4))


@pytest.mark.parametrize("t", [0.0, 1.0, -1.0, 1e-9])
def test_a_share_that_cannot_be_is_refused_in_a_plan_and_in_a_certificate(t):
    with pytest.raises(AcesError, match=r"^t is "):
        dataclasses.replace(PLAN, t=t)
    data = json.loads(to_json(made(dataclasses.replace(PLAN, t=0.3))))
    data["plan"]["t"] = t
    with pytest.raises(CertificateError, match="t is "):
        from_json(json.dumps(data))


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_know_no_other_noise(version):
    uniform = made(dataclasses.replace(PLAN, smoothing="uniform"))
    with pytest.raises(CertificateError, match=rf"plan\.smoothing: version {version} knows"):
        check(dataclasses.replace(uniform, version=version))


def test_the_noise_of_a_certificate_cannot_be_exchanged():
    uniform = made(dataclasses.replace(PLAN, smoothing="uniform"))
    with pytest.raises(CertificateError, match="radius"):
        check(dataclasses.replace(uniform, plan=PLAN, version=2))
    with pytest.raises(CertificateError, match="version"):
        check(dataclasses.replace(uniform, plan=PLAN))
    data = json.loads(to_json(uniform))
    data["plan"]["smoothing"] = "laplace"
    with pytest.raises(CertificateError, match="unknown smoothing 'laplace'"):
        from_json(json.dumps(data))


CLOSE = {"p": (0.45, 0.3, 0.25)}  # no majority: only the margin tells the class


@pytest.mark.parametrize("how", [{"smoothing": "uniform"}, {"t": 0.2}, {"correction": "simultaneous"}, {}])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", [*KINDS.values(), CLOSE])
def test_a_certificate_by_the_margin_says_so_and_is_of_version_5(kind, mode, how):
    plan = dataclasses.replace(MARGIN, mode=mode, **how)
    certificate = made(plan, **kind)
    assert certificate.version == 5
    written = json.loads(to_json(certificate))
    assert (written["plan"]["bound"], written["plan"]["split"]) == ("margin", "half-last")
    assert all(0 < look["p_rival"] < 1 for look in written["looks"])
    again = from_json(to_json(certificate))
    assert again == certificate
    check(again, TENSOR)
    others = ({"bound": Bound.COMPLEMENT}, {"split": Split.EVEN}, {"bound": Bound.COMPLEMENT, "split": Split.EVEN})
    streams = {made(dataclasses.replace(plan, **other), **kind).streams for other in others}
    assert len({*streams, certificate.streams}) == 4


@pytest.mark.parametrize("mode", Mode)
def test_what_no_majority_votes_for_is_certified_by_the_margin_alone(mode):
    plan = dataclasses.replace(MARGIN, mode=mode)
    certificate = made(plan, **CLOSE)
    p_a, p_b = certificate.looks[-1].p_certify, certificate.looks[-1].p_rival
    assert certificate.outcome == "certified"
    assert certificate.radius == pytest.approx(0.5 * (norm.ppf(p_a) - norm.ppf(p_b)) / 2, rel=1e-6)
    assert p_a < 0.5
    assert made(dataclasses.replace(plan, bound=Bound.COMPLEMENT), **CLOSE).radius == 0


def test_unanimous_draws_have_no_rival():
    certificate = made(MARGIN, p=(1.0, 0.0, 0.0))
    assert {look.p_rival for look in certificate.looks} == {None}
    check(from_json(to_json(certificate)))


def test_a_plan_of_one_look_is_as_before_but_for_its_margin():
    fixed = dataclasses.replace(MARGIN, mode=Mode.FIXED, bound=Bound.COMPLEMENT)
    assert made(fixed).radius == made(dataclasses.replace(fixed, split=Split.EVEN)).radius


def test_half_of_alpha_for_the_last_look_buys_radius_there_and_costs_it_before():
    even, half = (dataclasses.replace(PLAN, split=split) for split in Split)
    assert made(half).radius > made(even).radius
    assert made(half, k=1_000).radius < made(even, k=1_000).radius


@pytest.mark.parametrize("below", [1e-8, 1e-9, 1e-3])
def test_a_rivals_bound_may_not_lie_below_its_counts(below):
    certificate = made(MARGIN, **CLOSE)
    check(certificate)
    rival = certificate.looks[-1].p_rival
    computed = evidence(**CLOSE).bounds(MARGIN)[-1].p_rival
    assert 0 <= rival - computed < 2e-9
    for changed in (rival - below, rival + 1e-3, None):
        with pytest.raises(CertificateError, match="p_rival"):
            check(with_look(certificate, p_rival=changed))
    with pytest.raises(CertificateError, match="p_rival"):
        check(with_look(made(MARGIN, p=(1.0, 0.0, 0.0)), p_rival=0.1))


@pytest.mark.parametrize("off", [1 + 9e-13, 1 - 9e-13])
@pytest.mark.parametrize("seed", range(10))
def test_another_scipy_whose_last_bits_differ_finds_no_rival_too_low(seed, off, monkeypatch):
    certificate = made(MARGIN, p=(0.45, 0.3 - 0.01 * seed, 0.25 + 0.01 * seed))
    bounds = module.bounds_of
    monkeypatch.setattr(
        module,
        "bounds_of",
        lambda *a: tuple(dataclasses.replace(look, p_rival=off * look.p_rival) for look in bounds(*a)),
    )
    check(certificate)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 4}, r"plan\.bound: version 4 knows no such entry"),
        ({"version": 2}, r"version 2 knows no such entry"),
        ({"plan": dataclasses.replace(MARGIN, bound=Bound.COMPLEMENT)}, "outcome|radius|p_rival"),
        ({"plan": dataclasses.replace(MARGIN, split=Split.EVEN)}, "radius"),
        ({"plan": PLAN, "version": 2}, r"looks\.p_rival: version 2 knows no such entry"),
        ({"plan": PLAN, "version": 4}, r"looks\.p_rival: version 4 knows no such entry"),
    ],
)
def test_bound_and_split_of_a_certificate_cannot_be_exchanged(changes, said):
    with pytest.raises(CertificateError, match=said):
        check(dataclasses.replace(made(MARGIN, **CLOSE), **changes))


def test_a_forger_cannot_take_votes_from_the_rival_without_another_radius():
    honest = made(MARGIN, **CLOSE)
    part = honest.segments[1]
    a, b, c = part.class_counts
    forged = dataclasses.replace(part, class_counts=(a, b - 50, c + 50))
    segments = (honest.segments[0], forged, *honest.segments[2:])
    with pytest.raises(CertificateError, match=r"radius|p_rival"):
        check(dataclasses.replace(honest, segments=segments))
    whole = anew(honest, segments=segments)
    check(whole)  # agrees with itself: only drawing again tells
    assert whole.radius >= honest.radius


def test_a_look_that_is_no_sum_of_segments_ends_the_looks():
    """What a later one spends of alpha is not what an earlier one does."""
    honest = made(MARGIN, **CLOSE)
    first, second = honest.segments[1:3]
    merged = dataclasses.replace(
        first,
        draws=first.draws + second.draws,
        class_counts=tuple(a + b for a, b in zip(first.class_counts, second.class_counts, strict=True)),
        select_counts=tuple(a + b for a, b in zip(first.select_counts, second.select_counts, strict=True)),
    )
    with pytest.raises(CertificateError, match="looks"):
        check(dataclasses.replace(honest, segments=(honest.segments[0], merged, *honest.segments[3:])))


def test_older_versions_are_written_without_rivals():
    for plan in (PLAN, dataclasses.replace(PLAN, smoothing="uniform"), dataclasses.replace(PLAN, t=0.2)):
        text = to_json(made(plan))
        assert not any(f'"{name}"' in text for name in ("p_rival", "bound", "split"))
