"""A certificate for people: one self-contained HTML page, without scripts, that prints well."""

from __future__ import annotations

import base64
from html import escape

from engine.single_image.certificate import Certificate, implied
from engine.single_image.picture import Pixels, to_png
from engine.single_image.plan import Mode, Plan
from engine.single_image.promise import promise
from engine.statistics.bounds import MAJORITY, round_down, round_up
from engine.statistics.looks import LookBounds, Split
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
NAMES = {"certify": "Certification network", "core": "Core network", "select": "Selection network"}
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
the threshold θ {plan.theta:g} was fixed beforehand{_scope(certificate)}. {MODES[plan.mode]}</p>
<h2>What it rests on</h2>
<table>{"".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in _facts(certificate))}</table>
<h2>Bounds, look by look</h2>
<table class="looks"><tr><th>draws</th><th>selection</th><th>class</th><th>p_S</th><th>p_A</th>{_rival_head(plan)}</tr>
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
    drawn = sum(part.draws for part in certificate.segments if part.stage == "estimate")
    framing = image.framing
    crop = f"position {framing.x:g}, {framing.y:g}, zoom {framing.zoom:g}{', inverted' if framing.invert else ''}"
    return [
        ("Noise", f"{escape(plan.smoothing_card.label)}, σ {plan.sigma:g}{_noise_select(certificate)}"),
        ("Threshold", f"θ {plan.theta:g}"),
        *([("Selected", f"by a share of t = {plan.t:g} of the noisy votes")] if plan.t != MAJORITY else []),
        *([("Class", "bounded by its margin over the strongest other one")] if plan.bound is Bound.MARGIN else []),
        ("The promise fails", f"with probability at most α {plan.alpha} over the sampling, {escape(plan.correction)}"),
        ("Draws", f"{plan.n0:,} that guess, {drawn:,} of {plan.n:,} that estimate"),
        ("Seed", str(certificate.seed)),
        ("Challenge", "none" if certificate.challenge is None else escape(certificate.challenge)),
        *((NAMES[part], _network(info.name, info.sha256)) for part, info in networks.parts.items()),
        ("Core's answer", escape(networks.classes[certificate.core_answer])),
        ("Precision and device", f"{escape(networks.precision)}, {escape(networks.device)}{_machine(certificate)}"),
        ("File", f"sha256 <code>{escape(image.file_sha256)}</code>"),
        ("Exact tensor", f"{shape}, {crop}; sha256 <code>{escape(image.tensor_sha256)}</code>"),
    ]


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


def _noise_select(certificate: Certificate) -> str:
    noise = certificate.plan.sigma_select
    return "" if noise is None else f", of the selection {noise:g}"


def _machine(certificate: Certificate) -> str:
    as_run = certificate.networks.as_run
    return "" if as_run is None else f"; {escape(as_run.hardware)}, torch {escape(as_run.torch)}"


def _network(name: str | None, sha256: str | None) -> str:
    return f"{escape(name or '')}<br>sha256 <code>{escape(sha256 or '')}</code>"


def _looks(certificate: Certificate) -> str:
    return "".join(
        f"<tr><td>{look.n:,}</td><td>{look.select:,}</td><td>{look.certify:,}</td>"
        f"<td>{round_down(look.p_select, 5)}</td><td>{round_down(look.p_certify, 5)}</td>"
        f"{_rival_cell(look, certificate.plan)}</tr>"
        for look in certificate.looks
    )


def _rival_cell(look: LookBounds, plan: Plan) -> str:
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
