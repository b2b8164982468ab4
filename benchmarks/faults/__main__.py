"""What is tried, how often, and what survived, as Markdown: ``python -m benchmarks.faults --minutes 10``.

Exit status 1 where anything did not survive. Parts that are named are tried alone.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults import clocks, damage, disks, faketime, fuzz, guided, kills, servers
from benchmarks.faults.readers import READERS
from benchmarks.faults.trials import Survival
from tests import toy

Part = Callable[[str, float], Iterator[Survival]]

PARTS: dict[str, tuple[float, Part]] = {  # with the share of the time that each has
    "kills": (12.0, kills.kills),
    "serve": (3.0, servers.served),
    "page": (3.0, servers.page),
    "faketime": (4.0, faketime.resumptions),
    "writers": (2.0, kills.writers),
    "clock": (2.0, clocks.jumps),
    "full": (4.0, disks.full),
    "read-only": (0.5, disks.read_only),
    "vanishing": (2.0, disks.vanishing),
    "flipped": (2.0, damage.flipped),
    "cut": (1.0, damage.cut),
    "planted": (1.0, damage.planted),
    "stale": (1.0, damage.stale),
}
FUZZ = "fuzz"


def main() -> None:
    """Try and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, FUZZ, []], help="which parts; by default all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything but the fuzzers")
    parser.add_argument("--seed", default="0", help="of the instants, places and files")
    parser.add_argument("--fuzz", type=int, default=200, metavar="N", help="changed files for each reader")
    parser.add_argument(
        "--guided",
        type=float,
        metavar="SECONDS",
        help="also so long for each reader under atheris, where it is installed",
    )
    parser.add_argument("--readers", nargs="*", choices=READERS, default=list(READERS), help="which; by default all")
    parser.add_argument("--keep", type=Path, help="a folder for the files that a reader did not survive")
    arguments = parser.parse_args()
    logging.disable()  # which tells of every damaged entry that is passed over
    chosen = arguments.parts or [*PARTS, FUZZ]
    print(f"{platform.machine()}, Python {platform.python_version()}, seed {arguments.seed}\n")
    print("| what | tries | survived | seconds |\n|---|---:|---:|---:|")
    faults: list[str] = []
    for found in _survivals(chosen, arguments):
        print(found.line, flush=True)
        faults += found.faults
    print("".join(f"\n- {fault}" for fault in faults))
    sys.exit(1 if faults else 0)


def _survivals(chosen: list[str], arguments: argparse.Namespace) -> Iterator[Survival]:
    shares = {part: share for part, (share, _) in PARTS.items() if part in chosen}
    for part, share in shares.items():
        yield from PARTS[part][1](arguments.seed, 60 * arguments.minutes * share / sum(shares.values()))
    if FUZZ in chosen:
        toy.register()
        seed = int.from_bytes(arguments.seed.encode())
        for name in arguments.readers:
            yield _fuzzed(fuzz.fuzz(READERS[name], arguments.fuzz, seed), arguments.keep)
        if arguments.guided is not None and not guided.is_installed():
            yield Survival("readers under atheris", note=f"skipped: {guided.MISSING}")
        elif arguments.guided is not None:
            for name in arguments.readers:
                yield _fuzzed(guided.guide(READERS[name], arguments.guided, seed), arguments.keep, ", under atheris")


def _fuzzed(found: fuzz.Fuzzed, folder: Path | None, how: str = "") -> Survival:
    """The row of a reader; what it did not survive goes into the folder."""
    if folder is not None:
        fuzz.keep(found, folder)
    note = f"{found.refused:,} refused{how}"
    faults = [f"{found.name}: {where}" for where in found.faults]
    return Survival(f"`{found.name}`", found.tries, found.tries - len(faults), found.seconds, faults, note)


if __name__ == "__main__":
    main()
