from __future__ import annotations

import pytest

from cache.store import Store
from engine.errors import AcesError
from engine.sampling import estimate as estimate_module
from engine.sampling.config import read_config
from engine.sampling.estimate import estimates
from engine.sampling.precompute import precompute
from tests import toy

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(estimate_module, "PROBE_SECONDS", 0.05)


def test_an_estimate_says_what_is_cached_and_what_is_missing(tmp_path):
    config = read_config(toy.config(tmp_path))
    with Store(tmp_path / "store") as store:
        fresh, core = estimates(config, store)
        assert (fresh.draws, fresh.cached, core.draws, core.seconds) == (6 * 650, 0, 0, 0.0)
        assert fresh.rate > 0
        assert fresh.seconds == pytest.approx(6 * 650 / fresh.rate)
        precompute(config, store)
        done, _ = estimates(config, store)
        assert (done.cached, done.rate, done.seconds) == (6 * 650, None, 0.0)
        longer, _ = estimates(config.model_copy(update={"n": 1000}), store)
        assert (longer.draws, longer.cached) == (6 * 1050, 6 * 650)


def test_an_estimate_samples_nothing_into_the_store(tmp_path):
    config = read_config(toy.config(tmp_path))
    with Store(tmp_path / "store") as store:
        estimates(config, store)
        assert store.metas() == []
        assert estimates(config, store)[0].cached == 0


def test_an_estimate_refuses_what_a_run_would_refuse(tmp_path):
    config = read_config(toy.config(tmp_path))
    with Store(tmp_path / "store") as store, pytest.raises(AcesError, match="device 'cuda:77' is not available"):
        estimates(config, store, device="cuda:77")
