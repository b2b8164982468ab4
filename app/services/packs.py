"""Files for the browser that are made beside the pages, last asked first: no run of the script waits for them."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from engine.errors import AcesError

MOST = 1_000  # files: of a composition there are some thirty, of 10 to 400 kB
INDEX = "index.json"
FOLDER = Path(tempfile.mkdtemp(prefix="aces-packs-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

Make = Callable[[], bytes]


class Packs:
    """Files in ``folder`` by name, of which ``index.json`` there lists those that stand. A name is of one content.

    Of those that cannot be made or written there are none: the page does without.
    """

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder, self._most = folder, most
        self._asked: OrderedDict[str, Make] = OrderedDict()
        self._made: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._works = False
        with suppress(OSError):
            self._write(INDEX, b"[]")

    def ask(self, wanted: Mapping[str, Make]) -> None:
        """Have files made, in this order and before those that were asked for earlier, unless they stand."""
        with self._lock:
            for name, make in reversed(list(wanted.items())):
                if name in self._made:
                    self._made.move_to_end(name)
                else:
                    self._asked[name] = make
                    self._asked.move_to_end(name, last=False)
            while len(self._asked) > self._most:
                self._asked.popitem()  # what was asked for first, and nobody has waited for since
            if self._asked and not self._works:
                self._works = True
                threading.Thread(target=self._work, daemon=True).start()

    def drop(self, start: str) -> None:
        """Nobody waits any more for what was asked for under names that begin so."""
        with self._lock:
            for name in [name for name in self._asked if name.startswith(start)]:
                del self._asked[name]

    def _work(self) -> None:
        while (asked := self._next()) is not None:
            try:
                with suppress(AcesError, OSError):
                    self._add(*asked)
            except BaseException:
                with self._lock:
                    self._works = False  # so that the next question begins anew
                raise

    def _next(self) -> tuple[str, Make] | None:
        with self._lock:
            if self._asked:
                return self._asked.popitem(last=False)
            self._works = False  # in one go with the look: what is asked for from now on finds nobody at work
            return None

    def _add(self, name: str, make: Make) -> None:
        self._write(name, make())
        with self._lock:
            self._made[name] = None
            gone = [self._made.popitem(last=False)[0] for _ in range(len(self._made) - self._most)]
            self._write(INDEX, json.dumps([*self._made]).encode())
        for old in gone:
            (self._folder / old).unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        """Whole or not at all."""
        partly = self._folder / f".{name}.part"
        partly.write_bytes(data)
        partly.replace(self._folder / name)


SHARED = Packs(FOLDER)
