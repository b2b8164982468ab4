from __future__ import annotations

import pytest

from engine import datasets
from engine.datasets import standard
from engine.errors import AcesError


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fashion_mnist", "FashionMNIST/raw"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar10", "cifar10/test-00000-of-00001.parquet"),
        ("cifar100", "cifar-100-python"),
        ("cifar100", "cifar100/test.parquet"),
    ],
)
def test_a_dataset_is_on_the_disk_where_a_file_of_its_card_is(tmp_path, monkeypatch, name, file):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    assert not datasets.on_disk(name)
    (tmp_path / file).mkdir(parents=True)
    assert [other for other in datasets.DATASETS if datasets.on_disk(other)] == [name]


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("fashion_mnist", "FashionMNIST", "apt-get install dataset-fashion-mnist"),
        (
            "cifar10",
            "CIFAR10",
            r"put cifar-10-python.tar.gz from https://www.cs.toronto.edu.*or a parquet file of .* as",
        ),
        ("cifar100", "CIFAR100", r"put cifar-100-python.tar.gz from .*cifar100.test\.parquet"),
    ],
)
def test_without_files_and_network_the_message_says_what_to_put_where(tmp_path, monkeypatch, name, dataset, message):
    import torchvision.datasets

    class Offline(getattr(torchvision.datasets, dataset)):
        def __init__(self, *_args, **_kwargs):
            raise RuntimeError("Error downloading")

    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    monkeypatch.setattr(standard, "DEBIAN_FASHION_MNIST", tmp_path / "absent")
    monkeypatch.setattr(torchvision.datasets, dataset, Offline)
    with pytest.raises(AcesError, match=message) as caught:
        datasets.load(name, "test")
    assert str(tmp_path) in str(caught.value)
