"""Progress where nobody watches a bar: in a file, as of a run in the background."""

from __future__ import annotations

import pytest

from engine.cli.progress import ImagesBar, SamplingBar, TrainingBar
from engine.sampling.work import Progress
from engine.training.loop import EpochReport


@pytest.fixture
def lines(capsys):
    """What was written to the file so far, without the bars' last state."""
    return lambda: [line for line in capsys.readouterr().err.splitlines() if "━" not in line and line.strip()]


def test_every_epoch_of_a_training_leaves_a_line(lines):
    with TrainingBar(epochs=8) as bar:
        bar(EpochReport(3, 500, 1000, 0.5, 80.0, 30.0))
        assert lines() == []
        bar(EpochReport(3, 1000, 1000, 0.4321, 85.4, 61.0, held_out=84.4, tally={"robust": 250}))
        assert lines() == ["epoch 3/8  16 images/s  loss 0.432  correct 85 %  held out 84 %  robust 25 %  0:01:01"]


@pytest.fixture
def a_minute_later(monkeypatch):
    """Lets a minute pass since the bar's last line, and then no more."""

    def pass_by(bar):
        now = bar.logged + 60.5  # a whole 60 might be lost to rounding
        monkeypatch.setattr("engine.cli.progress.time.monotonic", lambda: now)

    return pass_by


def test_the_labels_of_a_selection_network_leave_a_line_a_minute(lines, a_minute_later):
    with TrainingBar(epochs=8) as bar:
        bar.labelling("train", 10, 50)
        assert lines() == []
        a_minute_later(bar)
        bar.labelling("train", 20, 50)
        bar.labelling("train", 21, 50)
        assert lines() == ["labels, train  20/50 answers an image"]


def test_sampling_leaves_a_line_a_minute(lines, a_minute_later):
    report = Progress("a-run", 5, 500, draws=100_000, cached=0, total=1_000_000, seconds=50.0)
    with SamplingBar() as bar:
        bar(report)
        assert lines() == []
        a_minute_later(bar)
        bar(report)
        bar(report)
        assert lines() == ["a-run  5/500 images  2,000 draws/s  0:07:30 left"]


def test_images_that_are_certified_leave_a_line_a_minute_with_the_time_left(lines, a_minute_later):
    with ImagesBar(100) as bar:
        bar(0, "there.png")
        assert lines() == []
        a_minute_later(bar)
        bar(1, "new.png")
        (line,) = lines()
        assert line.startswith("2/100 images  0.02 images/s  1:3")
        assert line.endswith(" left")
