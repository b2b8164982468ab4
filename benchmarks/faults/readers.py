"""Every reader of files that strangers write, with valid files to begin from, which fuzzers change.

A reader gives what it makes of the bytes, or raises the project's error in one line. The address of a page is such a
file, and so are the store's cards and the results that a command goes on with.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import torch
from hypothesis.strategies import SearchStrategy
from scipy.stats import beta, norm

from app import links
from app.components.dial import Dial
from benchmarks.faults.mutants import YAML_TOKENS, damaged, rewritten, tabulated
from cache.entries import write
from cache.notes import Notes
from cache.store import BlockKey, Store, block_key
from cache.trash import Trash
from cache.views import KeptViews
from engine.deposits import AloneTerms, DepositedSystem, check_deposit, make_deposit
from engine.deposits.manifest import Manifest, read_manifest
from engine.errors import AcesError
from engine.models import NetworkCard, build, load
from engine.models.checkpoint import to_bytes as checkpoint_bytes
from engine.published.cohen_logs import read_cohen_log
from engine.published.counts import read_counts
from engine.records import runs
from engine.records.draws import Draws, from_bytes, to_bytes
from engine.sampling.config import read_config
from engine.single_image.certificate import check, from_json
from engine.single_image.picture import CENTRED, read_picture, to_tensor
from engine.single_image.results import LINES, Results
from engine.single_image.system_file import read_system
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention
from engine.training.checkpoint import keep, restore
from tests import ROOT, bad_pictures, toy

Mutants = Callable[[Sequence[bytes]], SearchStrategy[bytes]]


@dataclass(frozen=True)
class FuzzedReader:
    """``read`` takes the bytes of a file; ``seeds`` gives valid ones; ``mutants`` are the ways in which they change."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], object]
    mutants: tuple[Mutants, ...] = (rewritten, damaged)
    also: tuple[type[Exception], ...] = ()  # errors that are documented beside the project's own


def _yaml(seeds: Sequence[bytes]) -> SearchStrategy[bytes]:
    return rewritten(seeds, YAML_TOKENS)


@cache
def _room() -> Path:
    """A folder for files that are read by their paths, with the networks that configs and systems name."""
    held = tempfile.TemporaryDirectory(prefix="aces-fuzz-")
    _HELD.append(held)
    toy.config(Path(held.name))
    return Path(held.name)


_HELD: list[Any] = []  # removed when this process ends


def _placed(name: str, data: bytes) -> Path:
    path = _room() / name
    path.write_bytes(data)
    return path


# --- texts -------------------------------------------------------------------------------------------------------


def _certificates() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "tests" / "certificates").glob("*.json"))]


def _check_certificate(data: bytes) -> None:
    check(from_json(data))


def _terms() -> dict[str, Any]:
    return {"alpha": 0.001, "bound": Bound.MARGIN, "convention": Convention.ALGORITHM, "radii": ("0", "0.25")}


def _system() -> DepositedSystem:
    spent = {"correction": "intersection-union", "t": 0.5, "thetas": (0.2, 0.4)}
    return DepositedSystem(name="system-1", certify="toy-noisy", core="toy-core", **spent, **_terms())


@cache
def _deposit() -> Path:
    place = _room() / "deposit"
    make_deposit(place, [toy.smoothed_run(n_images=6), toy.core_run(n_images=6)], [_system()], AloneTerms(**_terms()))
    return place


def _manifests() -> list[bytes]:
    chain = _system().model_copy(update={"name": "system-2", "then": ("toy-noisy,0.3",)})
    held = read_manifest((_deposit() / "deposit.json").read_bytes())
    return [held.to_bytes(), Manifest(**{**dict(held), "systems": (_system(), chain)}).to_bytes()]


def _check_manifest(data: bytes) -> object:
    read_manifest(data)
    (_deposit() / "deposit.json").write_bytes(data)
    return check_deposit(_deposit())


def _systems() -> list[bytes]:
    sha256 = "0" * 64
    network = {"checkpoint": "noisy.safetensors", "sha256": sha256}
    said = {"value": 75.2, "low": 71.25, "high": 78.5}
    rates = {"nac": said, "robustness": said}
    settings = {"sigma": 0.25, "theta": 0.3, "t": 0.5, "alpha": 0.001, "correction": "intersection-union"}
    more = {"bound": "margin", "smoothing": "gaussian", "precision": "float32"}
    plain = {
        "format": "aces-system",
        "version": 1,
        "dataset": "toy",
        "networks": {"certify": network, "core": {"checkpoint": "plain.safetensors", "sha256": sha256}},
        "settings": settings | more,
        "measured": {"rule": "chosen", "robustness_is": "ACR", "images": 6, "on_these": rates, "on_others": rates},
        "provenance": {"created": "2026-01-01", "engine_version": "1", "runs": {"certify": "noisy"}},
    }
    later = [{**network, "sigma": 0.5, "theta": 0.4, "t": 0.3}, {**network, "sigma": 1.0, "p0": 0.7}]
    chain = {**plain, "networks": {**plain["networks"], "then": later}}  # type: ignore[dict-item]
    return [json.dumps(one).encode() for one in (plain, chain)]


def _read_system(data: bytes) -> object:
    return read_system(_placed("system.yaml", data))


def _configs() -> list[bytes]:
    certify = {"checkpoint": "noisy.safetensors", "sigma": [0.25, 0.5], "other_sigma": True, "architecture": "resnet8"}
    plain = {"dataset": "toy", "every": 4, "n0": 50, "n": 600, "certify": [certify]}
    more = {"core": {"checkpoint": "plain.safetensors", "normalizer": {"mean": 0.5, "std": [0.5]}}, "seed": 3}
    budget = {"budget": {"lose": "1%", "theta": [0.2, 0.4], "alpha": 0.001}, "precision": "bfloat16"}
    own = {"data": {"path": ".", "size": 8, "classes": ["dark", "grey", "bright"]}, "decide": {"r": [0.25, 0.5]}}
    return [json.dumps(plain | more | extra).encode() for extra in (budget, {**own, "dataset": "own"})]


def _config(data: bytes) -> object:
    return read_config(_placed("fuzzed.yaml", data))


def _results() -> list[bytes]:
    rows = (("a.png", "certified", 0.5), ("b/c.png", "failed", None))
    texts = [
        json.dumps({
            "file": name, "file_sha256": "0" * 64, "outcome": outcome, "prediction": 1, "answer": "one",
            "radius": radius, "draws": 10, "seconds": 0.1, "certificate": f"{name}.json", "notes": None,
            "error": None, "of": "digest",
        })
        for name, outcome, radius in rows
    ]  # fmt: skip
    return [text.encode() for text in texts]


def _go_on(data: bytes) -> object:
    folder = _room() / "results"
    folder.mkdir(exist_ok=True)
    (folder / LINES).write_bytes(data.replace(b"\n", b" ") + b"\n")
    with Results.open(folder, "digest") as found:
        return found.done


# --- runs and logs -----------------------------------------------------------------------------------------------


@cache
def _run_files() -> tuple[bytes, ...]:
    return tuple(runs.to_bytes(run) for run in (toy.smoothed_run(n_images=6), toy.core_run(n_images=6)))


def _metas() -> list[bytes]:
    return [json.dumps(run.meta.to_json()).encode() for run in (toy.smoothed_run(n_images=6), toy.core_run(n_images=6))]


def _meta(data: bytes) -> object:
    """A run file whose ``meta`` says this."""
    run = toy.smoothed_run(n_images=6)
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array(data.decode(errors="replace")), **runs.arrays(run))
    return runs.from_bytes(buffer.getvalue())


def _cohen() -> list[bytes]:
    n, rows = 100_000, ["idx\tlabel\tpredict\tradius\tcorrect\ttime"]
    for row in range(30):
        votes = n - (37 * row * row) % (n * 2 // 5)
        answer = -1 if row % 5 == 4 else row % 10
        radius = 0.25 * norm.ppf(beta.ppf(0.001, votes, n - votes + 1))
        rows.append(
            f"{20 * row}\t{row % 10}\t{answer}\t{0.0 if answer < 0 else radius:.3}\t{int(answer >= 0)}\t0:00:10"
        )
    return ["\n".join([*rows, ""]).encode()]


def _class_counts() -> list[bytes]:
    rng = np.random.default_rng(5)
    votes = rng.multinomial(1_000, rng.dirichlet(np.ones(10), 30))
    return ["".join("\t".join(map(str, [*row, k % 10])) + "\n" for k, row in enumerate(votes.tolist())).encode()]


def _log(data: bytes) -> object:
    return read_cohen_log(Path("cifar10/noise_0.25/sigma_0.25"), "log", data=data)


def _counted(data: bytes) -> object:
    return read_counts(Path("cifar10/noise_0.25/counts.txt"), "counts", data=data)


# --- pictures and networks ---------------------------------------------------------------------------------------


def _pictures() -> list[bytes]:
    found = [data for data, _ in (*bad_pictures.GOOD.values(), *bad_pictures.BAD.values())]
    return [data for data in found if len(data) < 30_000]


def _picture(data: bytes) -> object:
    return to_tensor(read_picture(data), CENTRED, (3, 8, 8))


@cache
def _network_files() -> tuple[bytes, ...]:
    torch.manual_seed(0)
    network = build("resnet8", "toy")
    small = {"epoch": 1, "arch": "resnet8", "state_dict": {"a": torch.zeros(2), "b.c": torch.ones(1, 3)}}
    buffers = [io.BytesIO() for _ in range(2)]
    torch.save(small, buffers[0])
    torch.save(small, buffers[1], _use_new_zipfile_serialization=False)
    own = checkpoint_bytes(network, NetworkCard("net", "resnet8", "toy", "gaussian", 0.25))
    return (*(buffer.getvalue() for buffer in buffers), own)


def _network(data: bytes) -> object:
    return load(_placed("fuzzed.pth", data))


def _headers() -> list[bytes]:
    """The header of a file of safetensors, which is JSON."""
    own = _network_files()[-1]
    return [own[8 : 8 + int.from_bytes(own[:8], "little")]]


def _under_header(data: bytes) -> object:
    body = _network_files()[-1]
    rest = body[8 + int.from_bytes(body[:8], "little") :]
    return load(_placed("fuzzed.safetensors", len(data).to_bytes(8, "little") + data + rest))


def _cards() -> list[bytes]:
    """The network card inside the header."""
    return [json.loads(_headers()[0])["__metadata__"]["aces"].encode()]


def _under_card(data: bytes) -> object:
    header = json.loads(_headers()[0])
    header["__metadata__"]["aces"] = data.decode(errors="replace")
    return _under_header(json.dumps(header).encode())


@cache
def _states() -> tuple[bytes, ...]:
    """Of a training under way, of as few weights as there can be."""
    network, optimizer = _trained()
    path = _room() / "state.pth.tar"
    keep(path, network, optimizer, {"seed": 1}, [{"epoch": 1}])
    return (path.read_bytes(),)


def _trained() -> tuple[Any, torch.optim.Optimizer]:
    network = torch.nn.Sequential()
    network.body = torch.nn.Linear(2, 1)  # as the project's networks call what follows the normaliser
    return network, torch.optim.SGD(network.body.parameters(), 0.1, 0.9)


def _state(data: bytes) -> object:
    return restore(_placed("state.pth.tar", data), *_trained(), {"seed": 1})


# --- the store, and addresses --------------------------------------------------------------------------------------


@cache
def _store() -> Store:
    """A store with one run and a deleted one."""
    store = Store(_room() / "store")
    store.put(toy.core_run("c", n_images=6))
    with store.runs.writing() as held:
        write(held, "trash/run/1", _run_files()[1])
    return store


def _entry(key: str, look: Callable[[Store], object]) -> Callable[[bytes], object]:
    """Reads a store in which somebody has put these bytes under ``key``, with the checksum that they need."""

    def read(data: bytes) -> object:
        store = _store()
        with store.runs.writing() as held:
            write(held, key, data)
        found = look(store)
        listing = store.listing()
        assert "c" in [*(meta.name for meta in listing.metas), *listing.broken], "a run is gone"
        return found

    return read


def _store_cards() -> list[bytes]:
    meta = toy.core_run("c", n_images=6).meta.to_json()
    return [json.dumps({"meta": meta, "sha256": "0" * 64}).encode()]


def _heads() -> list[bytes]:
    head = {
        "name": "d",
        "at": 1e9,
        "card": _store_cards()[0].decode(),
        "note": {"label": "x", "collection": "", "hidden": False},
    }
    return [json.dumps(head).encode()]


def _look_at_card(store: Store) -> object:
    if store.listing().metas:
        return store.fingerprint("c")
    store.put(toy.core_run("c", n_images=6))  # a damaged one gives way
    return store.get("c")


def _restored(store: Store) -> object:
    trash = Trash(store.runs)
    found = [one.name for one in trash.listing()]
    for name in found:
        store.remove(trash.restore_name(name))
        with store.runs.writing() as held:
            write(held, "trash/run/1", _run_files()[1])
    return found


DRAWS = block_key(BlockKey("ab" * 32, "toy", "test", 1, 0.25, 0, "entropy", "float32", "guess", 0))


def _draws() -> list[bytes]:
    rng = np.random.default_rng(0)
    return [to_bytes(Draws(rng.integers(0, 3, 40).astype(np.uint16), rng.random(40, np.float32)))]


def _addresses() -> list[bytes]:
    return [
        b"dataset=toy&theta=0.3&radius=0.5&alpha=0.001&runs=toy-noisy~0123456789ab&runs=toy-core~ba9876543210&image=3"
    ]


def _address(data: bytes) -> object:
    asked = parse_qs(data.decode(errors="replace"), keep_blank_values=True, max_num_fields=None)
    dial = Dial("theta", "θ", "θ", 0.3, 0.0, 1.0)
    numbers = [dial.read(text) for values in asked.values() for text in values]
    assert all(number is None or (0 <= number <= 1 and math.isfinite(number)) for number in numbers)
    return links.read_runs(text for values in asked.values() for text in values)


READERS: dict[str, FuzzedReader] = {
    reader.name: reader
    for reader in (
        FuzzedReader("certificate", _certificates, _check_certificate),
        FuzzedReader("deposit", _manifests, _check_manifest),
        FuzzedReader("system.yaml", _systems, _read_system, (_yaml, damaged), (OSError,)),
        FuzzedReader("config", _configs, _config, (_yaml, damaged), (OSError,)),
        FuzzedReader("results", _results, _go_on),
        FuzzedReader("run", _run_files, runs.from_bytes, (damaged,)),
        FuzzedReader("run-meta", _metas, _meta),
        FuzzedReader("log", _cohen, _log, (tabulated, damaged)),
        FuzzedReader("counts", _class_counts, _counted, (tabulated, damaged)),
        FuzzedReader("picture", _pictures, _picture, (damaged,)),
        FuzzedReader("checkpoint", _network_files, _network, (damaged,)),
        FuzzedReader("safetensors", _headers, _under_header),
        FuzzedReader("network-card", _cards, _under_card),
        FuzzedReader("training-state", _states, _state, (damaged,)),
        FuzzedReader("store-card", _store_cards, _entry("meta/c", _look_at_card)),
        FuzzedReader("store-note", lambda: [b'{"label": "x", "collection": "y", "hidden": false}'],
                     _entry("note/c", lambda store: Notes(store.runs).every())),
        FuzzedReader("store-view", lambda: [b'{"page": "tradeoff", "query": "theta=0.3"}'],
                     _entry("view/v", lambda store: KeptViews(store.runs).every())),
        FuzzedReader("store-trash", _heads, _entry("trash/head/1", _restored)),
        FuzzedReader("draws", _draws, from_bytes, (damaged,)),
        FuzzedReader("address", _addresses, _address, (damaged,)),
    )
}  # fmt: skip


def refused(reader: FuzzedReader, data: bytes) -> AcesError | OSError | None:
    """What a reader says of the bytes, None where it reads them. Any other error than those it may raise comes out."""
    try:
        reader.read(data)
    except (AcesError, *reader.also) as error:
        return error  # type: ignore[return-value]
    return None
