"""The commands that are disturbed: what each needs, how it is called, and what there is at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.faults.children import command
from cache import repair
from cache.store import Part, Store
from engine.records.draws import to_bytes as draws_bytes
from engine.records.runs import to_bytes, write_run
from tests import toy
from tests.store_writer import KEY, draws

Result = dict[str, object]
BLOCKS = 40
PICTURES = 3


@dataclass(frozen=True)
class DisturbedCommand:
    """A command whose end is the same however often it was interrupted.

    ``prepare`` puts what it needs into a new folder; ``words`` are its arguments there; ``result`` is what counts of
    what it leaves. ``once``: what it makes stands at this place from one instant to the next, and it is not called
    again where that is there. ``store``: where its store is.
    """

    name: str
    prepare: Callable[[Path], None]
    words: Callable[[Path], tuple[str, ...]]
    result: Callable[[Path], Result]
    once: str | None = None
    store: str | None = "store"

    def is_done(self, folder: Path) -> bool:
        return self.once is not None and (folder / self.once).exists()


def stored(folder: Path) -> Result:
    """Every run of the store, to the byte."""
    with Store(folder / "store") as store:
        listing = store.listing()
        found: Result = {meta.name: to_bytes(store.get(meta.name), local=False) for meta in listing.metas}
    return found | {f"broken {name}": why for name, why in listing.broken.items()}


# --- precompute ----------------------------------------------------------------------------------------------------


def _prepare_precompute(folder: Path) -> None:
    """With a store that remembers in which layout the network runs: measuring it may end otherwise another time."""
    config = toy.config(folder, n=1_000, every=8)
    try:
        command("precompute", str(config), "--n", "250", "--limit", "1", "--cache", str(folder / "store"))
    except SystemExit as error:
        assert not error.code  # noqa: PT017 (no test)
    with Store(folder / "store") as store:
        for meta in store.metas():
            store.remove(meta.name)


def _precompute(folder: Path) -> tuple[str, ...]:
    return "precompute", str(folder / "toy.yaml"), "--cache", str(folder / "store")


# --- train, import, deposit ------------------------------------------------------------------------------------------


def _prepare_nothing(folder: Path) -> None:
    """It makes what it needs."""


def _train(folder: Path) -> tuple[str, ...]:
    what = ("train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "4", "--set", "batch_size=8")
    return *what, "--name", "net", "-o", str(folder / "models")


def _trained(folder: Path) -> Result:
    card = json.loads((folder / "models" / "net.json").read_text())
    history = [{**epoch, "seconds": 0} for epoch in card["history"]]
    kept = {name: value for name, value in card.items() if name in ("sha256", "recipe", "seed", "test_accuracy")}
    return {"net.safetensors": (folder / "models" / "net.safetensors").read_bytes(), "card": kept, "history": history}


def _prepare_import(folder: Path) -> None:
    (folder / "files").mkdir()
    for seed in range(6):
        write_run(toy.smoothed_run(f"run-{seed}", seed=seed), folder / "files" / f"run-{seed}.npz")


def _import(folder: Path) -> tuple[str, ...]:
    return "import", str(folder / "files"), "--cache", str(folder / "store")


def _prepare_deposit(folder: Path) -> None:
    with Store(folder / "store") as store:
        store.put(toy.smoothed_run())
        store.put(toy.core_run())


def _deposit(folder: Path) -> tuple[str, ...]:
    return "deposit", "--system", "toy-noisy,toy-core", "-o", str(folder / "out"), "--cache", str(folder / "store")


def _deposited(folder: Path) -> Result:
    out = folder / "out"
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


# --- certify ---------------------------------------------------------------------------------------------------------


def _prepare_certify(folder: Path) -> None:
    toy.config(folder)
    (folder / "pictures").mkdir()
    for k, pixels in enumerate(toy.images("test").array()[:PICTURES]):
        Image.fromarray(pixels[0]).save(folder / "pictures" / f"{k}.png")


def _certify(folder: Path) -> tuple[str, ...]:
    networks = ("--certify", str(folder / "noisy.safetensors"), "--core", str(folder / "plain.safetensors"))
    how = ("--n", "500", "--seed", "1", "--theta", "0.9", "--cache", str(folder / "store"))
    return "certify", str(folder / "pictures"), *networks, *how, "-o", str(folder / "out")


def _certified(folder: Path) -> Result:
    """The certificates but for their moment, and the lines of the results but for their seconds."""
    out = folder / "out"
    found: Result = {}
    for line in (out / "results.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["file"] not in found, "a picture has two results"
        found[row["file"]] = {**row, "seconds": 0}
    for path in sorted(out.glob("*.json")):
        made: dict[str, Any] = json.loads(path.read_text())
        found[path.name] = {**made, "created": ""}
    rows = (out / "results.csv").read_text().splitlines()
    return {**found, "rows of the table": len(rows)}


# --- store repair ------------------------------------------------------------------------------------------------


def _prepare_repair(folder: Path) -> None:
    _prepare_deposit(folder)
    with Store(folder / "store") as store:
        store.put_parts(Part(replace(KEY, block=k), 0, draws(k, 500)) for k in range(BLOCKS))
        for database in (store.runs, store.blocks):
            with database.writing() as held:
                held.set("view/damaged", b"no checksum")


def _repair(folder: Path) -> tuple[str, ...]:
    return "store", "repair", "--cache", str(folder / "store")


def _repaired(folder: Path) -> Result:
    found = repair.check(folder / "store")
    with Store(folder / "store") as store:
        held = [store.get_block(replace(KEY, block=k)) for k in range(BLOCKS)]
    right = [one is not None and draws_bytes(one) == draws_bytes(draws(k, 500)) for k, one in enumerate(held)]
    return {**stored(folder), "damaged": found.damaged, "blocks": sum(right)}


COMMANDS = (
    DisturbedCommand("precompute", _prepare_precompute, _precompute, stored),
    DisturbedCommand("train", _prepare_nothing, _train, _trained, store=None),
    DisturbedCommand("import", _prepare_import, _import, stored),
    DisturbedCommand("deposit", _prepare_deposit, _deposit, _deposited, once="out"),
    DisturbedCommand("certify", _prepare_certify, _certify, _certified),
    DisturbedCommand("store repair", _prepare_repair, _repair, _repaired),
)
