from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import AcesError
from engine.models import Hints, load
from engine.models.own import find
from tests.engine.models.fabricated import IMAGENET_MEAN, IMAGENET_STD, First, lively, same_answers, saved


def test_efficientnet_whose_file_is_the_state_dict(tmp_path):
    body = lively(find("efficientnet-b0").build(1000, 3))
    net = nn.Sequential(First(IMAGENET_MEAN, IMAGENET_STD), body)
    path = saved(tmp_path / "efficientnet-b0-355c32eb.pth", body.state_dict())
    loaded = same_answers(path, net, size=64)
    assert (loaded.card.architecture, loaded.transform.crop) == ("efficientnet-b0", 224)


def test_weights_that_nobody_publishes_are_asked_for_as_a_file():
    with pytest.raises(AcesError, match="nobody publishes weights of lanet"):
        load(Path("published"), Hints(architecture="lanet"))


def test_published_weights_that_cannot_be_downloaded_say_which_file_to_put_where(tmp_path, monkeypatch):
    def offline(*_args, **_kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(AcesError, match=r"put that file at .*checkpoints.efficientnet-b7-dcc49843\.pth"):
        load(Path("published"), Hints(architecture="efficientnet-b7"))
