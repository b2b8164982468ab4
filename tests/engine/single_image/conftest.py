from __future__ import annotations

from pathlib import Path

import pytest

from engine.datasets import DATASETS
from engine.single_image.certificate import Certificate, issue
from engine.single_image.live import Pair, open_pair
from engine.single_image.system import LaterNetwork, PairSpec, Selector
from tests import toy
from tests.engine.single_image.toy_case import PLAN, SUBJECT, TENSOR, THREE_STAGES, TWO


def opened(folder: Path, *, selects: bool) -> Pair:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        certify = toy.checkpoint(folder / "noisy.safetensors")
        core = toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        select = Selector(toy.selector(folder / "chooser.safetensors")) if selects else None
        return open_pair(PairSpec(certify, core, select=select))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return opened(tmp_path_factory.mktemp("networks"), selects=False)


@pytest.fixture(scope="module")
def issued(pair: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(pair, TENSOR, PLAN, 11)
    return issue(evidence, PLAN, SUBJECT, pair.networks, 11)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """With a selection network of two outputs, untrained: it selects about half of the draws."""
    return opened(tmp_path_factory.mktemp("three"), selects=True)


@pytest.fixture(scope="module")
def issued_by_three(three: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(three, TENSOR, TWO, 11)
    return issue(evidence, TWO, SUBJECT, three.networks, 11)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """With two later stages, of which the second is the first one's network again, for another noise."""
    folder = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        certify = toy.checkpoint(folder / "noisy.safetensors")
        core = toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        behind = toy.checkpoint(folder / "behind.safetensors", seed=3)
        return open_pair(PairSpec(certify, core, then=(LaterNetwork(behind), LaterNetwork(certify))))


@pytest.fixture(scope="module")
def issued_by_chain(chain: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(chain, TENSOR, THREE_STAGES, 11)
    return issue(evidence, THREE_STAGES, SUBJECT, chain.networks, 11)
