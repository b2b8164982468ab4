"""What a certificate answers: a picture, its networks and a plan; and what the controls say that is something else.

A result belongs to its question. No Streamlit in here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from app.settings import alpha_text
from engine.mechanisms import NETWORK, OWN
from engine.records.meta import NetworkInfo
from engine.single_image.plan import NEWER, LaterPlan, Plan
from engine.single_image.subject import Subject
from engine.single_image.until import Until

LABELS = {  # of the fields that are not called on the page as they are here
    "certify": "certification network",
    "core": "core network",
    "select": "selection network",
    "sigma": "σ",
    "sigma_select": "σ of the selection",
    "theta": "θ",
    "alpha": "α",
    "mode": "promise",
    "mechanism": "selected by",
    "smoothing": "noise",
    "t": "votes t",
    "bound": "class by",
    "split": "α split",
    "p0": "p₀",
    "later": "then",
    "then": "if not selected:",
}
UNSAID = ("n0", "split", "first")  # shown only where they differ
LONGEST = 60  # letters of a picture's name that are shown
SLUG = 40  # letters of it in the name of a file


@dataclass(frozen=True)
class Asked:
    """Who is to answer, by what the runs say of their networks. Who did, and how it ran, the worker says.

    ``select``: a selection network; ``mechanism``: the score of a draw; ``later``: the networks of later stages.
    """

    dataset: str
    certify: NetworkInfo
    core: NetworkInfo
    precision: str
    select: NetworkInfo | None = None
    mechanism: str = OWN.name
    later: tuple[NetworkInfo, ...] = ()


@dataclass(frozen=True)
class Question:
    """``image``: None where no picture is chosen; ``name``: what the visitor calls it; ``until``: ends the draws."""

    asked: Asked
    plan: Plan
    image: Subject | None
    name: str
    until: Until | None = None

    @property
    def picture(self) -> str:
        """The picture's name as it can be read: nothing that is invisible or turns letters round, the middle cut."""
        return readable(self.name)

    @property
    def facts(self) -> list[str]:
        """Networks and plan, as a line of text says them."""
        left_out = {*UNSAID, *(["mechanism"] if self._names_its_mechanism else [])}
        left_out |= {name for name, (_, usual) in NEWER.items() if getattr(self.plan, name) == usual}
        left_out |= set() if self.asked.later else {"later"}
        return [_said(field, v) for field, v in self.values.items() if v is not None and field not in left_out]

    @property
    def values(self) -> dict[str, Any]:
        """Networks and plan, by field."""
        return {**vars(self.asked), **vars(self.plan), "until": self.until}

    @property
    def _names_its_mechanism(self) -> bool:
        """Whether "selection network" says it all."""
        return self.asked.select is not None and self.asked.mechanism == NETWORK.name


def differences(asked: Question, now: Question) -> list[str]:
    """What the controls say ``now`` that is not what was asked; empty where the answer is an answer to them."""
    old = asked.values
    changed = {field: value for field, value in now.values.items() if value != old[field]}
    implied = _implied(changed)
    found = [_said(field, value) for field, value in changed.items() if field not in implied]
    return [*_of_the_picture(asked, now, bool(found)), *found]


def _implied(changed: dict[str, Any]) -> tuple[str, ...]:
    """What goes without saying: it comes and goes with a selection network or a later stage, or with the other way to
    select, or follows from how much may be drawn.
    """
    implied: tuple[str, ...] = ("split",) if changed.keys() & {"mode", "n", "first"} else ()
    implied += ("first",) if changed.keys() & {"until"} else ()
    implied += ("mode",) if "until" in changed and changed["until"] is not None else ()
    implied += tuple(name for name in ("theta", "p0") if name in changed and changed[name] is None)
    implied += ("later",) if changed.get("then") == () else ()
    implied += ("bound",) if changed.keys() & {"p0"} else ()
    if "select" not in changed:
        return implied
    return (*implied, "mechanism", *(("sigma_select",) if changed["select"] is None else ()))


def _of_the_picture(asked: Question, now: Question, elsewhere: bool) -> list[str]:
    """``elsewhere``: something else differs, and another dataset may make another tensor of the same crop."""
    old, new = asked.image, now.image
    if new is None or old is None:
        return ["no picture"]
    if old.file_sha256 != new.file_sha256:
        return [f"picture {now.picture}"]
    if old.framing != new.framing:
        return ["another crop" if old.framing.invert == new.framing.invert else "invert " + _on(new.framing.invert)]
    return ["another tensor"] if old.tensor_sha256 != new.tensor_sha256 and not elsewhere else []


def _said(field: str, value: Any) -> str:
    """A field as it is called on the page, and its value."""
    if field == "select" and value is None:
        return f"{LABELS['mechanism']} {OWN.name}"
    return f"{LABELS.get(field, field.replace('_', ' '))} {_text(field, value)}"


def _text(field: str, value: Any) -> str:
    if field == "until":
        return "n or a click" if value is None else "an answer" if value.radius is None else f"radius {value.radius:g}"
    if field == "then" and not value:
        return "the core network"
    if isinstance(value, LaterPlan):
        by = ("p0",) if value.by_votes else ("theta", "t")
        return ", ".join(f"{LABELS[name]} {_text(name, getattr(value, name))}" for name in ("sigma", *by))
    if isinstance(value, NetworkInfo):
        return f"{value.name or 'unnamed'}" + (f" ({value.sha256[:8]})" if value.sha256 else "")
    if field in ("theta", "p0") and round(value, 3) == value:
        return f"{value:.3f}"
    if field == "alpha":
        return alpha_text(value)
    if isinstance(value, tuple):
        return ", ".join(_text("", part) for part in value) or "nothing"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)  # two that differ must not read alike
    return f"{value:,}" if isinstance(value, int) else str(value)


def _on(value: bool) -> str:
    return "on" if value else "off"


def readable(name: str) -> str:
    """A name that somebody else chose, short and in letters that can be seen.

    >>> readable("a\\u202egnp.exe"), readable("x" * 90 + ".png"), readable("")
    ('a�gnp.exe', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxx.png', 'picture')
    """
    seen = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name).strip()
    return (seen if len(seen) <= LONGEST else f"{seen[: LONGEST - 16]}…{seen[-15:]}") or "picture"


def slug(name: str) -> str:
    """The part of a file's name that says of which picture it is.

    >>> slug("../../etc/My photo!.JPG"), slug("![x](http://a.b/c)"), slug("…")
    ('My-photo', 'c', 'picture')
    """
    last = re.split(r"[/\\\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    return re.sub(r"[^A-Za-z0-9]+", "-", stem)[:SLUG].strip("-") or "picture"
