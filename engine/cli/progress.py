"""Progress of long work in the terminal, with a rate and the time that is left. Reports go to stderr."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from engine.escape import terminal
from engine.sampling.work import Progress as SamplingProgress
from engine.training.loop import EpochReport


class _Bar:
    """A rich progress bar as a context manager; subclasses are called with reports.

    A file shows no bar: there ``_log`` writes lines, at most one in ``PAUSE`` seconds.
    """

    PAUSE = 60.0

    def __init__(self) -> None:
        self.logged = time.monotonic()
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),  # it holds names of runs and files
            BarColumn(bar_width=12),
            TimeRemainingColumn(),
            # A narrow terminal takes two lines.
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=False)),
            console=Console(stderr=True),
        )

    def __enter__(self) -> _Bar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def _log(self, line: str) -> None:
        if not self.progress.console.is_terminal and time.monotonic() - self.logged >= self.PAUSE:
            self.logged = time.monotonic()
            self._say(line)

    def _say(self, line: str) -> None:
        """A line that stays: above the bar, or in the file."""
        self.progress.console.print(line, soft_wrap=True, highlight=False, markup=False)


class SamplingBar(_Bar):
    """A bar for each run that is sampled."""

    def __enter__(self) -> SamplingBar:
        super().__enter__()
        return self

    def __call__(self, p: SamplingProgress) -> None:
        job = terminal(p.job)
        task = next((t.id for t in self.progress.tasks if t.description == job), None)
        if task is None:
            task = self.progress.add_task(job, total=p.total, text="")
        text = f"{p.images}/{p.total_images} images  {p.rate:,.0f} draws/s"
        self.progress.update(task, total=p.total, completed=p.draws, text=text)
        self._log(f"{job}  {text}  {_duration(p.seconds_left)} left")


class SamplingLines:
    """Reports as lines of JSON on stdout, for programs: at most one in ``PAUSE`` seconds, and each run's last."""

    PAUSE = 0.5

    def __init__(self) -> None:
        self._said = 0.0

    def __enter__(self) -> SamplingLines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __call__(self, p: SamplingProgress) -> None:
        now = time.monotonic()
        if now - self._said < self.PAUSE and p.draws < p.total:
            return
        self._said = now
        rates = {"draws_per_second": p.rate, "seconds_left": p.seconds_left}
        print(json.dumps({"event": "progress", **asdict(p), **rates}), flush=True)


class TrainingBar(_Bar):
    """One bar over all epochs, and one for the answers that label the images of a selection network."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._task = self.progress.add_task("training", total=None, text="")
        self._epochs = epochs
        self._held_out = ""

    def __enter__(self) -> TrainingBar:
        super().__enter__()
        return self

    def __call__(self, e: EpochReport) -> None:
        if e.held_out is not None:
            self._held_out = f"  held out {e.held_out:.0f} %"
        counted = "".join(f"  {kind} {100 * images / e.seen:.0f} %" for kind, images in e.tally.items())
        rate = f"{e.images_per_second:,.0f} images/s"
        text = f"{rate}  loss {e.loss:.3f}  correct {e.accuracy:.0f} %{self._held_out}{counted}"
        done, total = (e.epoch - 1) * e.images + e.seen, self._epochs * e.images
        name = f"epoch {e.epoch}/{self._epochs}"
        self.progress.update(self._task, description=name, completed=done, total=total, text=text)
        if e.held_out is not None:
            self._say(f"{name}  {text}  {_duration(e.seconds)}")
        else:
            self._log(f"{name}  {text}")

    def labelling(self, split: str, done: int, wanted: int) -> None:
        """``done`` of ``wanted`` noisy answers per image of a split."""
        name = f"labels, {split}"
        task = next((t.id for t in self.progress.tasks if t.description == name), None)
        if task is None:
            task = self.progress.add_task(name, total=wanted, text="")
        text = f"{done}/{wanted} answers an image"
        self.progress.update(task, completed=done, text=text)
        self._log(f"{name}  {text}")


class DrawsBar(_Bar):
    """One bar over the draws of one image."""

    def __init__(self, name: str, n: int) -> None:
        super().__init__()
        self._task = self.progress.add_task(terminal(name), total=n, text="")

    def __enter__(self) -> DrawsBar:
        super().__enter__()
        return self

    def __call__(self, drawn: int, seconds: float) -> None:
        self.progress.update(self._task, completed=drawn, text=f"{drawn / max(seconds, 1e-9):,.0f} draws/s")


class ImagesBar(_Bar):
    """One bar over images that are certified one after the other, with the time that is left."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self._images, self._start = images, time.monotonic()
        self._done = 0
        self._task = self.progress.add_task("images", total=images, text="")

    def __enter__(self) -> ImagesBar:
        super().__enter__()
        return self

    def __call__(self, new: int, name: str) -> None:
        """Another image is done, of which ``new`` in all were certified now."""
        self._done += 1
        seconds = time.monotonic() - self._start
        rate = new / seconds if seconds > 0 else 0.0
        left = (self._images - self._done) / rate if rate else None
        text = f"{self._done}/{self._images}  {rate:,.2f} images/s  {terminal(name)[:40]}"
        self.progress.update(self._task, completed=self._done, text=text)
        self._log(f"{self._done}/{self._images} images  {rate:,.2f} images/s  {_duration(left)} left")


def _duration(seconds: float | None) -> str:
    """Hours, minutes and seconds.

    >>> _duration(3725.4)
    '1:02:05'
    """
    return "unknown time" if seconds is None else str(timedelta(seconds=round(seconds)))
