"""What a link holds beside the address: every value, also the defaults, and the digests of the runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from app.settings import Settings

RUNS = "runs"  # in a link, a value a run: its name and the beginning of its digest
DIGITS = 12  # of a digest: enough to tell runs apart that nobody has made to collide
SEPARATOR = "~"
LONGEST = 200  # names of which a link has more are none


def run_texts(digests: Mapping[str, str]) -> list[str]:
    """Runs as they stand in a link, of their full digests.

    >>> run_texts({"a": "0123456789abcdef"})
    ['a~0123456789ab']
    """
    return [f"{name}{SEPARATOR}{digest[:DIGITS]}" for name, digest in digests.items()]


def read_runs(texts: Iterable[str]) -> dict[str, str]:
    """Read ``run_texts`` back; what does not look like that is left out."""
    parts = [text.rpartition(SEPARATOR) for text in texts if len(text) <= LONGEST]
    return {name: digest for name, _, digest in parts if name and len(digest) == DIGITS}


def texts(value: object) -> list[str]:
    """The value of a control as the address has it: a text a value, and none for no value.

    >>> texts(0.30), texts(True), texts((0.0, 0.5)), texts("ACR"), texts(None)
    (['0.3'], ['true'], ['0', '0.5'], ['ACR'], [])
    """
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts(one)]
    if value is None:
        return []
    if isinstance(value, bool):
        return [str(value).lower()]
    return [f"{value:.12g}"] if isinstance(value, float) else [str(value)]


def components(settings: Settings) -> dict[str, str]:
    """The controls whose default is whatever the catalog has first, and what they show."""
    training, sigma, core, select = settings.choice.components
    collection = {"collection": settings.choice.collection} if settings.choice.collection else {}
    return collection | {
        "dataset": settings.certify_run.dataset,
        "training": training,
        "sigma": sigma,
        "core": core,
        "select": select,
    }


def link(url: str, controls: Mapping[str, object], digests: Mapping[str, str]) -> str:
    """The whole address of a view."""
    values = {key: texts(value) for key, value in controls.items()} | {RUNS: run_texts(digests)}
    return f"{url}?{urlencode({key: value for key, value in values.items() if value}, doseq=True)}"


@dataclass(frozen=True)
class Lost:
    """What was asked for, by a link or by a view that stood here before, and is not what is shown.

    ``missing``: pairs of a control, or "run", and the value or name that the catalog no longer has. ``changed``: runs
    whose content is another, with the digest that was asked for. ``others``: runs of the link that are there, while
    its controls now choose others. ``choice``: what is shown instead.
    """

    choice: tuple[str, ...]
    missing: tuple[tuple[str, str], ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.others)

    def still(self, there: Iterable[tuple[str, str]], digests: Mapping[str, str]) -> Lost:
        """What of it still holds: ``there`` is what the catalog has, as in ``missing``, and ``digests`` those shown."""
        found = set(there)
        return replace(
            self,
            missing=tuple(one for one in self.missing if one not in found),
            changed=tuple((name, digest) for name, digest in self.changed if _differs(digests.get(name), digest)),
        )


def lost(
    known: Mapping[str, str], digests: Mapping[str, str], catalog: Iterable[str], settings: Settings, *, by_link: bool
) -> Lost:
    """Compare the runs that were asked for, or shown before, with those shown now; ``digests`` are these, by name."""
    names = set(catalog)
    chosen = [run.name for run in settings.choice.runs]
    first = list(known)[: len(chosen)]  # a link begins with the runs of its composition
    return Lost(
        address(settings),
        tuple(("run", name) for name in known if name not in names),
        tuple((name, digest) for name, digest in known.items() if _differs(digests.get(name), digest)),
        tuple(name for name in first if by_link and name in names and name not in chosen),
    )


def _differs(digest: str | None, begin: str) -> bool:
    return digest is not None and not digest.startswith(begin)


def address(settings: Settings) -> tuple[str, ...]:
    """What the current composition is chosen by."""
    return (settings.certify_run.dataset, *settings.choice.address)


def sentence(found: Lost, settings: Settings, labels: Mapping[str, str]) -> str:
    """One sentence on it, plain text; ``labels``: what the controls are called."""
    said = [f"{labels.get(kind, kind)} {name} is not in this catalog" for kind, name in found.missing]
    said += [f"run {name} holds other counts than then" for name, _ in found.changed]
    said += [f"the address now chooses other runs than {', '.join(found.others)}"] if found.others else []
    names = [run.name for run in settings.choice.runs]
    return f"Not what was asked for: {_listed(said)}; shown is {' with '.join(names)}."


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts)
