"""Writes into a store until it is done or killed: `python -m tests.store_writer DIRECTORY FIRST COUNT`.

It says ``ready``, waits for a line on stdin, and then says the number of each entry once that is stored.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from cache.store import BlockKey, Part, Store
from engine.records.draws import Draws
from engine.records.meta import Meta
from engine.records.runs import CoreRun

KEY = BlockKey(
    "ab" * 32, "toy", "test", 17, 0.25, 0, "entropy", "float32/cpu/AVX2/channels_last/50/False", "estimate", 3
)


def draws(seed: int = 0, k: int = 2500) -> Draws:
    rng = np.random.default_rng(seed)
    return Draws(rng.integers(0, 10, k).astype(np.uint16), rng.random(k, np.float32))


def version(i: int) -> CoreRun:
    """One of three names; ``seed`` in its meta says which content belongs to it."""
    label, prediction = np.random.default_rng(i).integers(0, 10, (2, 500))
    meta = Meta("core", f"run-{i % 3}", "toy", 10, seed=i)
    return CoreRun(meta, np.arange(500), label, prediction)


def main(directory: str, first: str, count: str) -> None:
    with Store(Path(directory)) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(int(first), int(first) + int(count)):
            store.put_parts([Part(replace(KEY, block=i), 0, draws(i))])
            store.put(version(i), replace=True)
            print(i, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
