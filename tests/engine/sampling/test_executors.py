from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cache.store import Store
from engine.errors import AcesError
from engine.mechanisms import entropy
from engine.models import build
from engine.records import runs
from engine.records.draws import to_bytes
from engine.sampling.config import read_config
from engine.sampling.executors import SHARD, on_devices, on_ray, shards
from engine.sampling.inference import freeze
from engine.sampling.precompute import precompute
from engine.sampling.stream import Source, Stage, StreamPart, sample, segments
from tests import ROOT, toy

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture
def source() -> Source:
    torch.manual_seed(0)
    return Source(freeze(build("resnet8", "toy")), entropy, 0.5, 0, lambda index: torch.full((1, 8, 8), index / 10))


def wanted(images: int = 3, n: int = 5100) -> list[StreamPart]:
    streams = [(i, stage, k) for i in range(images) for stage, k in ((Stage.GUESS, 100), (Stage.ESTIMATE, n))]
    return [segment for index, stage, k in streams for segment in segments(index, stage, 0, k)]


def drawn(results) -> dict[StreamPart, bytes]:
    return {segment: to_bytes(draws) for segment, draws in results}


def test_shards_keep_blocks_together_and_carry_their_images(source):
    whole = wanted(images=9)
    cut = list(shards(source, whole))
    assert [segment for shard in cut for segment in shard.segments] == whole
    assert len(cut) > 2
    blocks = [{(s.index, s.stage, s.chunk // 10) for s in shard.segments} for shard in cut]
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    assert all(len(shard.segments) >= SHARD for shard in cut[:-1])
    assert all(set(shard.images) == {s.index for s in shard.segments} for shard in cut)


def test_several_devices_draw_what_one_draws(source):
    assert drawn(on_devices(["cpu", "cpu", "cpu"])(source, wanted())) == drawn(sample(source, wanted()))


def test_a_device_that_is_not_there_is_refused(source):
    with pytest.raises(AcesError, match="device 'cuda:77' is not available"):
        next(on_devices(["cpu", "cuda:77"])(source, wanted()))


def test_an_error_of_one_device_ends_the_pass(source):
    def broken(_):
        raise AcesError("the network failed")

    with pytest.raises(AcesError, match="the network failed"):
        list(on_devices(["cpu", "cpu"])(replace(source, mechanism=broken), wanted()))


# --- Ray -------------------------------------------------------------------------------------------------------


def test_a_ray_cluster_that_is_not_there_is_refused():
    pytest.importorskip("ray", reason="Ray is an optional extra")
    with pytest.raises(AcesError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        on_ray("127.0.0.1:1")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1", "nowhere"])
def test_a_ray_cluster_of_the_environment_that_is_not_there_is_refused_at_once(monkeypatch, address):
    pytest.importorskip("ray", reason="Ray is an optional extra")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(AcesError, match=f"no Ray cluster at {re.escape(address)}"):
        on_ray()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """A Ray cluster of two workers on this machine; workers die where ``ACES_TEST_DEATHS`` has no file yet."""
    deaths = tmp_path_factory.mktemp("deaths")
    ray = pytest.importorskip("ray", reason="Ray is an optional extra")
    environment = {
        "ACES_TEST_DEATHS": str(deaths),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield deaths
        ray.shutdown()


def dying(logits: Tensor) -> Tensor:
    """The entropy; but the first two workers that compute it are killed at it."""
    deaths = Path(os.environ["ACES_TEST_DEATHS"])
    if len(list(deaths.iterdir())) < 2:
        (deaths / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return entropy(logits)


def failing(logits: Tensor) -> Tensor:
    raise AcesError("the network failed")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_ray_gives_the_same_bytes_although_workers_are_killed(two_workers, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    config = read_config(toy.config(tmp_path, n=12_000))
    with Store(tmp_path / "local") as store:
        here, _ = precompute(config, store)

    def deadly(source, wanted):
        return on_ray()(replace(source, mechanism=dying), wanted)

    with Store(tmp_path / "ray") as store:
        there, _ = precompute(config, store, executor=deadly)
    assert len(list(two_workers.iterdir())) == 2
    assert runs.to_bytes(here) == runs.to_bytes(there)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_error_in_a_ray_worker_is_said_in_its_own_words(two_workers, source):
    with pytest.raises(AcesError, match=r"^the network failed$"):
        list(on_ray()(replace(source, mechanism=failing), wanted()))
