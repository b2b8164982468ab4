"""The thread that asks the networks: many at once, so many and no more, and it outlives whatever goes wrong."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from engine.errors import AcesError
from engine.serving.batcher import Batcher, BusyError
from engine.single_image.case import Case
from engine.single_image.certificate import check
from engine.single_image.inputs import read_image
from engine.single_image.until import Until
from tests import toy

TENSOR = toy.images("test").images[2]


@pytest.fixture
def batcher(toys):
    found = Batcher(toys, n=200, most=4)
    yield found
    found.close()


def test_predictions_and_certificates_come_beside_each_other(toys, batcher):
    case = Case.fixed(*read_image(TENSOR, (1, 8, 8)).certifiable(), toys.plan(n=2_100))
    certified = batcher.certify(case)
    predicted = [batcher.predict(TENSOR.astype(np.float32) / 255) for _ in range(5)]
    for future in predicted:
        assert future.result(60).draws in (25, 50, 100, 200)
    found = certified.result(60)
    check(found.certificate(), TENSOR)
    assert found.drawn == 2_100
    assert 0 < found.core_confidence <= 1
    assert found.evidence.votes.sum() == 2_200
    early = Case.fixed(case.tensor, case.image, toys.plan(n=2_100, first=20))
    assert batcher.certify(early, Until()).result(60).drawn <= 2_100


def test_places_are_counted_before_anything_is_read(batcher):
    batcher.reserve(3)
    with pytest.raises(BusyError) as caught:
        batcher.reserve(2)
    assert 1 <= caught.value.seconds <= 60
    batcher.reserve()
    assert batcher.waiting == 4
    batcher.release(4)
    batcher.reserve(4)
    batcher.release(4)


def test_what_nobody_waits_for_is_asked_no_longer(batcher):
    gone = [batcher.predict(np.full((1, 8, 8), 0.5, np.float32)) for _ in range(20)]
    cancelled = [future.cancel() for future in gone]
    assert any(cancelled)
    assert batcher.predict(TENSOR.astype(np.float32) / 255).result(60).draws <= 200


def test_a_picture_that_cannot_be_asked_about_fails_alone(batcher):
    bad = batcher.predict(np.zeros((1, 9, 9), np.float32))
    assert batcher.predict(TENSOR.astype(np.float32) / 255).result(60).draws <= 200
    with pytest.raises(AcesError, match="an image of shape"):
        bad.result(60)


def test_the_thread_outlives_an_error_of_the_networks(batcher, monkeypatch, capsys):
    broken = threading.Event()
    real = type(batcher.pair).core_logits

    def failing(self, images):
        if not broken.is_set():
            broken.set()
            raise RuntimeError("out of memory")
        return real(self, images)

    monkeypatch.setattr(type(batcher.pair), "core_logits", failing)
    with pytest.raises(RuntimeError, match="sampling failed"):
        batcher.predict(TENSOR.astype(np.float32) / 255).result(60)
    assert batcher.predict(TENSOR.astype(np.float32) / 255).result(60).draws <= 200
    assert batcher.alive
    assert "out of memory" in capsys.readouterr().err


def test_closing_answers_what_is_under_way_and_nothing_new(toys):
    batcher = Batcher(toys, n=400)
    futures = [batcher.predict(TENSOR.astype(np.float32) / 255) for _ in range(10)]
    batcher.close()
    assert all(future.result(0).draws <= 400 for future in futures)
    assert not batcher.alive
    with pytest.raises(AcesError, match="stopping"):
        batcher.predict(TENSOR.astype(np.float32) / 255)
