"""The process of one reader under atheris: ``python -m benchmarks.faults.guided_child READER FOLDER SECONDS SEED``."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore] # where it is installed

with atheris.instrument_imports(include=["engine", "cache", "app"]):  # whose code is watched
    from benchmarks.faults import fuzz
    from benchmarks.faults.guided import CASES, COUNTS, FOUND
    from benchmarks.faults.readers import READERS
    from tests import toy

LARGEST = 60_000  # bytes of a file
OFTEN = 20  # files between two notes of how many there were


def main(name: str, room: Path, seconds: str, seed: str) -> None:
    """Until the time is over. What was found is written as it goes, since nothing is called at the end."""
    toy.register()
    reader, found = READERS[name], fuzz.Fuzzed(name)

    def one(data: bytes) -> None:
        known = dict(found.faults)
        fuzz.send(reader, data, found)
        if found.tries % OFTEN == 1 or found.faults != known:
            (room / COUNTS).write_text(f"{found.tries} {found.refused}")
        if found.faults != known:
            for number, (where, bad) in enumerate(found.faults.items()):
                (room / FOUND / f"{number}.txt").write_text(where)
                (room / FOUND / f"{number}.bin").write_bytes(bad)

    limits = [f"-max_total_time={seconds}", f"-seed={int(seed) % 2**31 or 1}", f"-max_len={LARGEST}", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *limits, str(room / CASES)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
