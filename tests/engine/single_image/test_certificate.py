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
from tests.engine.single_image.issued_toy import (
    CHAIN,
    KINDS,
    MARGIN,
    PLAN,
    TENSOR,
    VOTES,
    chained,
    evidence,
    made,
)
from tests.forge import anew, lifted


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


@pytest.mark.parametrize(("field", "value"), [("plan.alpha", 2.0), ("plan.n", 10**12), ("version", 8), ("radius", "x")])
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


# --- version 7: looks from few draws on -------------------------------------------------------------------------------

EARLY_LOOKS = dataclasses.replace(MARGIN, first=20)


@pytest.mark.parametrize("k", [20, 59, 1_280, 10_000])
def test_a_certificate_of_early_looks_passes_its_check_after_a_round_trip(k):
    certificate = made(EARLY_LOOKS, k=k)
    assert (certificate.version, certificate.looks[0].n) == (7, 20)
    again = from_json(to_json(certificate))
    assert again == certificate
    check(again, TENSOR)


def test_early_looks_do_not_pass_for_later_ones():
    """With fewer looks each of them would spend more of alpha."""
    certificate = made(EARLY_LOOKS, k=10_000)
    for first in (40, 1_000):
        with pytest.raises(CertificateError):
            check(dataclasses.replace(certificate, plan=dataclasses.replace(EARLY_LOOKS, first=first)))
    older = dataclasses.replace(certificate, version=6)
    with pytest.raises(CertificateError, match=r"plan\.first: version 6 knows no such entry"):
        check(older)


def test_before_20_draws_nothing_is_promised():
    with pytest.raises(AcesError, match="the first look is at 20 draws"):
        made(EARLY_LOOKS, k=19)


# --- version 6: votes that select, and chains ------------------------------------------------------------------------

SURE = {"p": (0.97, 0.02, 0.01)}
NEW_KINDS = {
    "votes, certified": (VOTES, (), {}, "certified"),
    "votes, core": (VOTES, (), {"p": (0.5, 0.3, 0.2), "core": 2}, "core"),
    "votes, consensus": (VOTES, (), {"p": (0.7, 0.2, 0.1)}, "consensus"),
    "chain, first": (CHAIN, ({}, {}), {}, "certified"),
    "chain, second": (CHAIN, ({}, {}), {"low": 0.6}, "certified"),
    "chain, third": (CHAIN, ({"low": 0.6}, SURE), {"low": 0.6}, "certified"),
    "chain, core": (CHAIN, ({"low": 0.6}, {"p": (0.4, 0.3, 0.3)}), {"low": 0.6, "core": 2}, "core"),
    "chain, abstain": (CHAIN, ({}, {}), {"low": 0.14}, "abstain"),
}


def of_kind(kind: str, **changes: object) -> Certificate:
    plan, then, first, _ = NEW_KINDS[kind]
    return chained(dataclasses.replace(plan, **changes), *then, **first)


@pytest.mark.parametrize("smoothing", ["gaussian", "uniform"])
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", NEW_KINDS)
def test_votes_that_select_and_chains_pass_their_own_check_after_a_round_trip(kind, mode, correction, smoothing):
    certificate = of_kind(kind, mode=mode, correction=correction, smoothing=smoothing)
    outcome = NEW_KINDS[kind][3]
    assert (certificate.version, certificate.outcome) == (6, outcome)
    again = from_json(to_json(certificate))
    assert again == certificate
    check(again, TENSOR)
    for stage, word in (("first", 1), ("second", 2), ("third", 3)):
        assert (f"by stage {word} of 3" in certificate.statement) == (kind == f"chain, {stage}")


def test_a_chain_is_certified_within_the_least_of_what_its_stages_give():
    certificate = of_kind("chain, third")
    first, second, third = certificate.looks[-1].stages
    assert certificate.radius == pytest.approx(
        min(
            0.5 * norm.ppf(first.p_select),
            0.25 * (norm.ppf(second.p_select) - norm.ppf(0.7)),
            1.0 * (norm.ppf(third.p_select) - norm.ppf(0.6)),
            1.0 * norm.ppf(third.p_certify),
        ),
        rel=1e-6,
    )


def test_by_the_votes_the_radius_counts_from_the_share_that_selects():
    certificate = of_kind("votes, certified")
    last = certificate.looks[-1]
    assert certificate.radius == pytest.approx(0.5 * (norm.ppf(last.p_select) - norm.ppf(0.7)), rel=1e-6)
    assert (last.select, certificate.thetas) == (last.certify, ())
    core = of_kind("votes, core").looks[-1]
    assert core.select == 10_000 - core.certify  # a claim about the class with most votes


CHANGED = [
    ("votes, certified", "plan.p0", 0.6, "radius"),
    ("votes, certified", "plan.p0", 0.4, "p0 is 0.4"),
    ("votes, certified", "plan.p0", None, "needs one of them"),
    ("votes, certified", "plan.theta", 0.3, "needs one of them"),
    ("votes, certified", "plan.t", 0.3, "p0 is the share"),
    ("votes, certified", "plan.sigma_select", 0.3, "name one of them"),
    ("votes, certified", "plan.bound", "margin", "a margin adds nothing"),
    ("votes, certified", "thetas", [0.7], "thetas"),
    ("votes, certified", "segments.1.select_counts", [900], "do not add up"),
    ("votes, certified", "version", 5, "plan.p0: version 5 knows no such entry"),
    ("votes, certified", "networks.then", [{"name": "x", "sha256": "c" * 64}], "0 later stages, and 1 networks"),
    ("chain, second", "version", 5, "plan.then: version 5 knows no such entry"),
    ("chain, second", "plan.then.0.sigma", 2.0, "radius"),
    ("chain, second", "plan.then.0.t", 0.99, "radius"),
    ("chain, second", "plan.then.0.theta", None, "needs one of them"),
    ("chain, second", "plan.then.0.theta", 0.4005, "do not add up"),
    ("chain, second", "plan.then.1.p0", 1.5, "p0 is 1.5"),
    ("chain, second", "plan.then.0.note", 1, "plan.then.0.note: there is no such entry"),
    ("chain, second", "plan.then", [], "version: of this plan it is 2, and not 6"),
    ("chain, second", "plan.then", [{"sigma": 1.0, "theta": 0.3}] * 5, "a chain of 6 stages"),
    ("chain, second", "networks.then", [], "2 later stages, and 0 networks"),
    ("chain, second", "networks.then.0.sha256", "zz", "sha256"),
    ("chain, second", "networks.then.1.note", "x", "there is no such entry"),
    ("chain, second", "segments.1.network", "then-3", "there is no network 'then-3'"),
    ("chain, second", "segments.1.network", "select", "there is no selection network"),
    ("chain, second", "segments.1.network", "later", "segments.1.network"),
    ("chain, second", "looks.0.then", [], "later stages"),
    ("chain, second", "looks.0.then.0.p_select", 1.0, "stage 2: p_select"),
    ("chain, second", "looks.0.then.1.select", 5, "stage 3: select"),
    ("chain, second", "looks.0.then.0.p_rival", 0.1, "stage 2: p_rival"),
    ("chain, second", "statement", "Certified dark by stage 1 of 3.", "statement"),
    ("chain, second", "outcome", "consensus", "outcome"),
]


@pytest.mark.parametrize(("kind", "field", "value", "said"), CHANGED)
def test_whatever_is_changed_in_version_6_is_found(kind, field, value, said):
    with pytest.raises(CertificateError, match=said):
        check(edited(of_kind(kind), field, value))


def edited(certificate: Certificate, field: str, value: object) -> Certificate:
    data = json.loads(to_json(certificate))
    place = data
    *path, last = (int(part) if part.isdigit() else part for part in field.split("."))
    for part in path:
        place = place[part]
    place[last] = value
    return from_json(json.dumps(data))


def test_stages_cannot_change_places():
    honest = of_kind("chain, second")
    later = tuple(reversed(honest.plan.then)), tuple(reversed(honest.networks.then))
    swapped = dataclasses.replace(
        honest,
        plan=dataclasses.replace(honest.plan, then=later[0]),
        networks=dataclasses.replace(honest.networks, then=later[1]),
    )
    assert swapped.streams.commitment != honest.streams.commitment
    with pytest.raises(CertificateError):
        check(swapped)


def test_a_network_may_stand_twice_at_two_noises_and_not_at_one():
    honest = of_kind("chain, second")
    first = honest.networks.certify
    same = dataclasses.replace(honest.networks, then=(first, first))
    check(dataclasses.replace(honest, networks=same))  # at σ 0.5, 0.25 and 1
    plan = dataclasses.replace(
        honest.plan, then=(honest.plan.then[0], dataclasses.replace(honest.plan.then[1], sigma=0.5))
    )
    with pytest.raises(CertificateError, match="'noisy' stands twice in the chain"):
        check(anew(honest, plan=plan, networks=same))


def test_networks_of_a_chain_share_no_stream():
    streams = of_kind("chain, second").streams
    names = {streams.of(role) for role in ("certify", "select", "then", "then-2", "then-3")}
    assert len(names) == 5
    assert len({of_kind(kind).streams.commitment for kind in ("votes, certified", "chain, second")}) == 2


def test_what_older_certificates_do_not_hold_is_not_written():
    for plan in (PLAN, MARGIN, dataclasses.replace(PLAN, t=0.2)):
        assert not {"p0", "then"} & json.loads(to_json(made(plan)))["plan"].keys()
        assert '"then"' not in to_json(made(plan))
    with pytest.raises(CertificateError, match=r"networks\.then: version 2 knows|0 later stages"):
        check(edited(made(PLAN), "networks.then", [{"name": "x", "sha256": "c" * 64}]))
    with pytest.raises(CertificateError, match=r"looks\.then: version 2 knows"):
        check(edited(made(PLAN), "looks.0.then", [{"select": 1, "certify": 1, "p_select": 0.1, "p_certify": 0.1}]))


def test_a_forger_of_a_chain_cannot_take_votes_without_another_answer():
    honest = of_kind("chain, second")
    better = lifted(honest)
    check(better)  # agrees with itself: only drawing again tells
    assert better.radius > honest.radius
    with pytest.raises(CertificateError, match=r"radius|select"):
        check(dataclasses.replace(honest, segments=better.segments))
