"""Readers under atheris, which keeps the changed files that reach new code and changes them further.

Not among what is needed: ``pip install atheris`` (3.0.0 has wheels for Python 3.11). One process a reader, since a
fuzzer of this kind ends its process.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults import fuzz
from benchmarks.faults.fuzz import Fuzzed
from benchmarks.faults.readers import FuzzedReader
from tests import ROOT

MISSING = "atheris is not installed: pip install atheris (Python 3.11)"
CASES, FOUND, COUNTS = "cases", "found", "counts"


def is_installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


def guide(reader: FuzzedReader, seconds: float, seed: int) -> Fuzzed:
    """``seconds`` of guided changes to the reader's valid files; what it did not survive is kept as by ``fuzz``."""
    found, start = Fuzzed(reader.name), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aces-guided-") as held:
        room = Path(held)
        (room / CASES).mkdir()
        (room / FOUND).mkdir()
        for number, data in enumerate([*reader.seeds(), *fuzz.corpus(reader.name)]):
            (room / CASES / f"seed-{number}").write_bytes(data)
        words = [
            sys.executable,
            "-m",
            "benchmarks.faults.guided_child",
            reader.name,
            held,
            str(int(seconds)),
            str(seed),
        ]
        done = subprocess.run(
            words, cwd=ROOT, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if not (room / COUNTS).exists():
            raise RuntimeError(f"atheris ended with status {done.returncode}: {done.stderr[-500:]}")
        found.tries, found.refused = map(int, (room / COUNTS).read_text().split())
        for path in sorted((room / FOUND).glob("*.txt")):
            found.note(path.read_text(), path.with_suffix(".bin").read_bytes())
    found.seconds = time.monotonic() - start
    return found
