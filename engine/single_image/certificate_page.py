"""A certificate for people: one self-contained HTML page, without scripts, that prints well."""

from __future__ import annotations

import base64
from html import escape

from engine.single_image.certificate import Certificate, implied
from engine.single_image.picture import Pixels, to_png
from engine.single_image.plan import LATER, Mode, Plan
from engine.single_image.promise import promise
from engine.single_image.segments import roles
from engine.single_image.subject import Part
from engine.statistics.bounds import MAJORITY, round_down, round_up
from engine.statistics.looks import Split, StageLook
from engine.statistics.margin import Bound

STYLE = """
body { font: 16px/1.5 "Source Sans 3", "Source Sans Pro", system-ui, sans-serif; color: #1b2430; max-width: 46rem;
  margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.1rem; letter-spacing: .08em; text-transform: uppercase; color: #5c6773; font-weight: 600; }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
.answer { display: flex; gap: 1.5rem; align-items: center; border: 1px solid #dde2e8; border-left: 6px solid #0072b2;
  border-radius: 6px; padding: 1rem 1.25rem; }
.answer img { width: 8.75rem; image-rendering: pixelated; border: 1px solid #dde2e8; }
.answer p { margin: 0; font-size: 1.2rem; }
.answer small { display: block; color: #5c6773; font-size: .95rem; margin-top: .4rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e3e7ec; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; width: 12rem; }
table.looks th, table.looks td { text-align: right; width: auto; }
code { font-size: .82rem; overflow-wrap: anywhere; }
footer { margin-top: 2rem; color: #5c6773; font-size: .9rem; }
"""
NAMES: dict[Part, str] = {
    "certify": "Certification network",
    "core": "Core network",
    "select": "Selection network",
    **{part: f"Network of stage {k}" for k, part in enumerate(LATER, 2)},
}
MODES = {
    Mode.EARLY: "The sampling could be ended at any time. Every bound below holds at every look, so the moment at "
    "which it was ended, for whatever reason, does not weaken the certificate.",
    Mode.FIXED: "The number of draws was fixed before the first one, and all of them were made.",
}


def to_html(certificate: Certificate, tensor: Pixels) -> str:
    """The page. ``tensor`` uint8 [C, H, W] is the certificate's image, which is shown enlarged."""
    png = base64.b64encode(to_png(tensor)).decode()
    plan = certificate.plan
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ACES certificate</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>
<h1>ACES certificate</h1>
<div class="answer"><img alt="The exact image that was certified" src="data:image/png;base64,{png}">
<p>{escape(certificate.statement)}{_implied(certificate)}</p></div>
<h2>What is promised</h2>
<p>{escape(_promise(certificate))}</p>
<p>The system is the smoothed, composed one, not the bare networks; the image is the one above, as the networks see it;
{_fixed(plan)} fixed beforehand{_scope(certificate)}. {MODES[plan.mode]}</p>
<h2>What it rests on</h2>
<table>{"".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in _facts(certificate))}</table>
<h2>Bounds, look by look</h2>
<table class="looks"><tr><th>draws</th>{_stage_head(plan)}<th>selection</th><th>class</th><th>p_S</th><th>p_A</th>
{_rival_head(plan)}</tr>
{_looks(certificate)}</table>
<p>Votes for the two guesses among the draws, and Clopper-Pearson lower bounds of their probabilities, the best so far.
{_rival(plan)}The radius is {_radius(certificate)}.{_split(plan)}</p>
<h2>How to check it</h2>
<p>With the JSON certificate and the image: <code>python -m engine check CERTIFICATE.json IMAGE --resample</code>
recomputes the bounds from the counts, compares names with what is known, draws a part of the recorded streams again,
and says what it could not verify.</p>
<footer>Made {escape(certificate.created)} by ACES Explorer {escape(certificate.engine_version)}. The method: Horváth,
Müller, Fischer, Vechev 2022, on the guarantee of {escape(plan.smoothing_card.source)}.</footer>
</body></html>
"""


def _facts(certificate: Certificate) -> list[tuple[str, str]]:
    plan, networks, image = certificate.plan, certificate.networks, certificate.image
    shape = " x ".join(map(str, image.shape))
    drawn = sum(part.draws for part in certificate.segments if (part.stage, part.network) == ("estimate", "certify"))
    of_each = " of each network" if len(roles(plan)) > 1 else ""
    framing = image.framing
    crop = f"position {framing.x:g}, {framing.y:g}, zoom {framing.zoom:g}{', inverted' if framing.invert else ''}"
    return [
        ("Noise", f"{escape(plan.smoothing_card.label)}, σ {plan.sigma:g}{_noise_select(certificate)}"),
        *_selections(plan),
        *([("Class", f"bounded by its margin over the strongest other one{_but(plan)}")] if _by_margin(plan) else []),
        ("The promise fails", f"with probability at most α {plan.alpha} over the sampling, {escape(plan.correction)}"),
        ("Draws", f"{plan.n0:,} that guess, {drawn:,} of {plan.n:,} that estimate{of_each}"),
        ("Seed", str(certificate.seed)),
        ("Challenge", "none" if certificate.challenge is None else escape(certificate.challenge)),
        *((NAMES[part], _network(info.name, info.sha256)) for part, info in networks.parts.items()),
        ("Core's answer", escape(networks.classes[certificate.core_answer])),
        ("Precision and device", f"{escape(networks.precision)}, {escape(networks.device)}{_machine(certificate)}"),
        ("File", f"sha256 <code>{escape(image.file_sha256)}</code>"),
        ("Exact tensor", f"{shape}, {crop}; sha256 <code>{escape(image.tensor_sha256)}</code>"),
    ]


def _selections(plan: Plan) -> list[tuple[str, str]]:
    """By what each stage selects."""
    if not plan.then and not plan.by_votes:
        selected = [("Selected", f"by a share of t = {plan.t:g} of the noisy votes")] if plan.t != MAJORITY else []
        return [("Threshold", f"θ {plan.theta:g}"), *selected]
    found = []
    for k, stage in enumerate(plan.stages, 1):
        if stage.by_votes:
            how = f"a class with more than a share p₀ = {stage.p0:g} of the noisy votes"
        else:
            how = f"θ {stage.theta:g}, by a share of t = {stage.t:g} of the noisy votes"
        noise = f", σ {stage.sigma:g}" if plan.then else ""
        found.append((f"Stage {k}" if plan.then else "Selected", how + noise))
    return found


def _fixed(plan: Plan) -> str:
    if plan.then:
        return f"its {len(plan.stages)} stages and what they select by were"
    if plan.by_votes:
        return f"the share p₀ {plan.p0:g} of the votes that selects was"
    return f"the threshold θ {plan.theta:g} was"


def _by_margin(plan: Plan) -> bool:
    return plan.bound is Bound.MARGIN


def _but(plan: Plan) -> str:
    """Where the votes select, a class with more than half of them has no rival."""
    return ", where a score selects" if any(stage.by_votes for stage in plan.stages) else ""


def _stage_head(plan: Plan) -> str:
    return "<th>stage</th>" if plan.then else ""


def _promise(certificate: Certificate) -> str:
    """Version 1 has no such entry; what it promises is the same."""
    return certificate.promise or promise(certificate.outcome, certificate.plan, certificate.networks.classes)


def _rival_head(plan: Plan) -> str:
    return "<th>p_B</th>" if plan.bound is Bound.MARGIN else ""


def _rival(plan: Plan) -> str:
    """What p_B is, where the class is bounded by its margin."""
    if plan.bound is not Bound.MARGIN:
        return ""
    return (
        "p_B is an upper bound of the probability of every other class: by the votes of the strongest of them, or 1 − "
        "p_A where all of them together are bounded. p_A and p_B are of the one look so far by which the class reaches "
        "furthest. "
    )


def _split(plan: Plan) -> str:
    if plan.split is Split.EVEN or len(plan.looks) == 1:
        return ""
    return f" Half of α is for the look at {plan.n:,} draws, the rest is split evenly among the looks before it."


def _radius(certificate: Certificate) -> str:
    text, plan = certificate.plan.smoothing_card.text, certificate.plan
    if plan.then or plan.by_votes:
        return _radius_by_stages(plan)
    if plan.bound is Bound.MARGIN:
        select = text.format(p="p_S")
        if plan.t != MAJORITY:
            select = f"({select} − {text.format(p=f'{plan.t:g}')})"
        margin = " − ".join(text.format(p=p) for p in ("p_A", "p_B"))
        return f"the smaller of σ {select} and σ/2 ({margin}), each with its network's σ"
    of_p = text.format(p="p")
    if plan.t != MAJORITY:
        return f"the smaller of σ ({of_p} − {text.format(p=f'{plan.t:g}')}) of p_S and σ {of_p} of p_A, each with its σ"
    if plan.sigma_select is None:
        return f"σ {of_p} of the smaller bound p"
    return f"the smaller of σ {of_p} of the two bounds p, each with its network's σ"


def _radius_by_stages(plan: Plan) -> str:
    """The radius of a chain, or where the votes select."""
    text = plan.smoothing_card.text
    margin = " − ".join(text.format(p=p) for p in ("p_A", "p_B"))
    of_class = f"σ {text.format(p='p_A')}" + (f", by the margin σ/2 ({margin})" if _by_margin(plan) else "")
    own = f"σ ({text.format(p='p_S')} − {text.format(p='t')}) and {of_class} of the stage that answers"
    shares = "t is the share of the votes by which a stage selects" + (
        ", p₀ where the votes for a class do" if any(stage.by_votes for stage in plan.stages) else ""
    )
    if not plan.then:
        return f"the smaller of σ ({text.format(p='p_S')} − {text.format(p='p₀')}) and {of_class}"
    before = (
        f"σ ({text.format(p='p_S')} − {text.format(p='1 − t')}) of every stage before it, within which that hands on"
    )
    return f"the smallest of {own}, and {before}; each with its network's σ; {shares}"


def _noise_select(certificate: Certificate) -> str:
    noise = certificate.plan.sigma_select
    return "" if noise is None else f", of the selection {noise:g}"


def _machine(certificate: Certificate) -> str:
    as_run = certificate.networks.as_run
    return "" if as_run is None else f"; {escape(as_run.hardware)}, torch {escape(as_run.torch)}"


def _network(name: str | None, sha256: str | None) -> str:
    return f"{escape(name or '')}<br>sha256 <code>{escape(sha256 or '')}</code>"


def _looks(certificate: Certificate) -> str:
    plan = certificate.plan
    return "".join(
        f"<tr><td>{look.n:,}</td>{f'<td>{k}</td>' if plan.then else ''}<td>{stage.select:,}</td>"
        f"<td>{stage.certify:,}</td><td>{round_down(stage.p_select, 5)}</td><td>{round_down(stage.p_certify, 5)}</td>"
        f"{_rival_cell(stage, plan)}</tr>"
        for look in certificate.looks
        for k, stage in enumerate(look.stages, 1)
    )


def _rival_cell(look: StageLook, plan: Plan) -> str:
    if plan.bound is not Bound.MARGIN:
        return ""
    return f"<td>{'1 − p_A' if look.p_rival is None else round_up(look.p_rival, 5)}</td>"


def _implied(certificate: Certificate) -> str:
    if certificate.radius == 0:
        return ""
    radius = implied(certificate)
    return (
        f"<small>It implies an ℓ∞ radius of {round_down(radius, 3)}: every pixel value may change by up to "
        f"{round_down(255 * radius, 3)} of 255 grey levels.</small>"
    )


def _scope(certificate: Certificate) -> str:
    return ", and of all other θ at once" if certificate.plan.correction == "simultaneous" else ""
