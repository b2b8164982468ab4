"""The training methods by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.errors import AcesError
from engine.training.consistency import Consistency, consistency
from engine.training.gaussian import gaussian
from engine.training.macer import Macer, macer
from engine.training.objective import BatchResult, Objective
from engine.training.smoothadv import SmoothAdv, smoothadv, smoothadv_consistency
from engine.training.standard import standard

Hyper = Consistency | Macer | SmoothAdv


@dataclass(frozen=True)
class Method:
    """A training method: its loss, where it comes from, and whether it trains under noise.

    ``loss`` is an ``Objective``, or becomes one when its hyper-parameters are bound as ``h``.
    """

    name: str
    loss: Callable[..., BatchResult]
    paper: str
    noisy: bool = True

    def objective(self, hyper: Hyper | None = None) -> Objective:
        """The loss with its hyper-parameters bound; None where the method has none."""
        bound: dict[str, Any] = {} if hyper is None else {"h": hyper}
        return partial(self.loss, **bound)


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("standard", standard, "plain cross-entropy", noisy=False),
        Method("gaussian", gaussian, "Cohen et al. 2019"),
        Method("smoothadv", smoothadv, "Salman et al. 2019"),
        Method("macer", macer, "Zhai et al. 2020"),
        Method("consistency", consistency, "Jeong and Shin 2020"),
        Method("smoothadv-consistency", smoothadv_consistency, "Jeong and Shin 2020 on Salman et al. 2019"),
    )
}


def method(name: str) -> Method:
    """Look a method up. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in METHODS:
        raise AcesError(f"unknown training method '{name}'; known: {', '.join(METHODS)}")
    return METHODS[name]
