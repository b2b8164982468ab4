"""The numbers beside each run of the catalog: NAC and ACR, and the best point of its front."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import cast

from app import catalog
from app.catalog import RunKey
from engine.errors import AcesError
from engine.figures.headlines import BestPoint, Headline, best_point, headline, most_accurate
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SmoothedRun

MOST_HEADLINES = 10_000  # that are remembered, of some hundred bytes each
_HEADLINES: dict[RunKey, Headline] = {}  # of all sessions; nothing in it is ever changed
_BEST: dict[tuple[RunKey, tuple[RunKey, ...]], BestPoint | None] = {}  # by run and the core networks to choose from


def headlines(metas: Sequence[Meta], seconds: float) -> dict[str, Headline]:
    """NAC and ACR of runs by name: those known, and as many more as ``seconds`` allow; of damaged ones neither."""
    found, end = {}, time.monotonic() + seconds
    for meta in metas:
        with suppress(AcesError):
            key = catalog.run_key(meta)
            if key in _HEADLINES or time.monotonic() < end:
                found[meta.name] = _headline(key)
                continue
        if time.monotonic() < end:
            found[meta.name] = Headline()
    return found


def _headline(key: RunKey) -> Headline:
    if key not in _HEADLINES:
        while len(_HEADLINES) >= MOST_HEADLINES:
            _HEADLINES.pop(next(iter(_HEADLINES)), None)
        _HEADLINES[key] = headline(catalog.read(key.name))
    return _HEADLINES[key]


def best_points(metas: Sequence[Meta], seconds: float) -> dict[str, BestPoint | None]:
    """The best front point of certification runs by name: those known, and as many more as ``seconds`` allow.

    With the core networks that are shown. None for other runs, and where there is no such point.
    """
    found: dict[str, BestPoint | None] = {}
    end, cores = time.monotonic() + seconds, _cores()
    for meta in metas:
        if meta.kind != SmoothedRun.KIND:
            found[meta.name] = None
            continue
        try:
            key = catalog.run_key(meta), cores.get(meta.dataset, ())
            if key in _BEST or time.monotonic() < end:
                found[meta.name] = _best(*key)
        except AcesError:  # the page says so where a damaged run is used
            found[meta.name] = None
    return found


def _cores() -> dict[str, tuple[RunKey, ...]]:
    """The core networks that are shown and can be read, by dataset."""
    found: dict[str, tuple[RunKey, ...]] = {}
    for meta in catalog.listing().shown:
        if meta.kind == CoreRun.KIND:
            with suppress(AcesError):
                found[meta.dataset] = (*found.get(meta.dataset, ()), catalog.run_key(meta))
    return found


def _best(certify: RunKey, cores: tuple[RunKey, ...]) -> BestPoint | None:
    if (certify, cores) not in _BEST:
        while len(_BEST) >= MOST_HEADLINES:
            _BEST.pop(next(iter(_BEST)), None)
        core = most_accurate(catalog.images(certify), [run for key in cores if (run := _core(key)) is not None])
        chosen = next((key for key in cores if core is not None and key.name == core.meta.name), None)
        _BEST[certify, cores] = None if chosen is None else _best_with(certify, chosen)
    return _BEST[certify, cores]


@lru_cache(maxsize=MOST_HEADLINES)
def _best_with(certify: RunKey, core: RunKey) -> BestPoint | None:
    """Once for the content of two runs, whatever other core networks come and go."""
    runs = cast(SmoothedRun, catalog.read(certify.name)), cast(CoreRun, catalog.read(core.name))
    try:
        return best_point(*runs)
    except AcesError:  # of draws too few to select by
        return None


@lru_cache(maxsize=256)  # a number an image
def _core(source: RunKey) -> CoreRun | None:
    try:
        return cast(CoreRun, catalog.read(source.name))
    except AcesError:
        return None
