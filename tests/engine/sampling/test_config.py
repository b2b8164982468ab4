from __future__ import annotations

import pytest
import torch
from PIL import Image

from engine import datasets
from engine.errors import AcesError
from engine.mechanisms import MECHANISMS
from engine.models import ARCHITECTURES, Normalizer
from engine.models.own import find
from engine.models.paths import normalizer_of, sigma_of, training_of
from engine.sampling.config import Config, parse_config, read_config
from engine.sampling.plan_runs import jobs
from tests import ROOT

CONFIGS = ROOT / "engine" / "configs"
PAPERS = sorted(p for folder in ("cifar10", "imagenet") for p in (CONFIGS / folder).glob("*.yaml"))


@pytest.fixture
def pets(tmp_path):
    for k, name in enumerate(["cats/a.png", "cats/b.png", "dogs/c.png"]):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (k, k, k)).save(tmp_path / "pets" / name)
    return tmp_path


def write(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_pictures_of_ones_own_lie_beside_the_config(pets):
    config = read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4}\nevery: 2\n"))
    assert config.card().classes == ("cats", "dogs")
    assert config.images().index.tolist() == [0, 2]
    assert config.images().image(0).shape == (3, 4, 4)


def test_damaged_pictures_stop_a_config_unless_it_skips_them(pets):
    (pets / "pets" / "dogs" / "c.png").write_bytes(b"")
    with pytest.raises(AcesError, match="1 of 3 pictures cannot be read"):
        read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4}\n")).images()
    skipping = read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4, skip_damaged: true}\n"))
    assert skipping.images().index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{path: pets}", "unknown dataset 'pets'; known: .*; your own pictures need `size` under `data`"),
        ("{path: absent, size: 4}", "there is no folder .*absent"),
        ("{path: pets, size: 0}", "data.size: Input should be greater than or equal to 1"),
        ("{path: pets, sizes: 4}", "data: unknown key 'sizes'; did you mean 'size'"),
        ("{size: 4}", "data.path: is missing"),
    ],
)
def test_data_that_cannot_be_read_is_said_before_anything_runs(pets, data, message):
    with pytest.raises(AcesError, match=message):
        read_config(write(pets, f"dataset: pets\ndata: {data}\n"))


@pytest.mark.parametrize("text", ["dataset: Mühle\n".encode("latin-1"), b"\xff\xfe\x00", b"\x80" * 100_000])
def test_a_config_in_another_encoding_is_one_line(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(AcesError, match=r"config\.yaml: not UTF-8 \(byte \d+\)"):
        parse_config(path)


def test_there_is_a_config_for_every_experiment_of_the_paper():
    expected = {
        f"{dataset}/{training}-{sigma}"
        for dataset, trainings in {
            "cifar10": ("gaussian", "smoothadv", "macer", "consistency"),
            "imagenet": ("gaussian", "smoothadv", "consistency"),
        }.items()
        for training in trainings
        for sigma in (0.25, 0.5, 1.0)
    }
    expected |= {"cifar10/selection-networks", "cifar10/noise-sweep"}  # appendices D.3.2 and D.4
    assert {f"{p.parent.name}/{p.stem}" for p in PAPERS} == expected


@pytest.mark.parametrize("path", [*PAPERS, *CONFIGS.glob("*.yaml")], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_config_is_valid_and_its_entries_agree_with_their_file_names(path):
    config = parse_config(path)
    assert datasets.known(config.dataset) or config.data is not None
    for entry in (*config.certify, *config.select, *config.core):
        if entry.architecture:
            own = config.data is not None or config.dataset == "imagenet_preview"  # pictures for networks of ImageNet
            assert find(entry.architecture).dataset == ("imagenet" if own else config.dataset)
        if entry.sigma_train and path.parent != CONFIGS:
            assert (sigma_of(entry.checkpoint), training_of(entry.checkpoint)) == (entry.sigma_train, entry.training)
        if entry.normalizer and entry.architecture != "resnet110-macer":
            assert normalizer_of(entry.checkpoint)[0] == entry.normalizer


@pytest.mark.parametrize("path", PAPERS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_missing_checkpoint_is_named_before_anything_runs(path):
    if parse_config(path).certify[0].checkpoint.is_file():
        pytest.skip("the authors' checkpoints are in place")
    with pytest.raises(AcesError, match=r"no checkpoint at .*pretrained-models.*put it there"):
        read_config(path)


@pytest.mark.parametrize("name", ["gaussian-0.25", "smoothadv-0.5", "macer-1.0", "selection-networks"])
def test_the_papers_configs_run_once_the_checkpoints_are_in_place(tmp_path, name):
    """With checkpoints of the right form in the places that a config names, every job is ready to sample."""
    config = parse_config(CONFIGS / "cifar10" / f"{name}.yaml")
    here = {}
    for part in ("certify", "select"):
        entries = []
        for k, entry in enumerate(getattr(config, part)):
            body = ARCHITECTURES["resnet110"].build(2 if part == "select" else 10, 3)
            inside = {f"1.{key}": value for key, value in body.state_dict().items()}
            data = {"net": body.state_dict()} if "macer" in name else {"arch": "cifar_resnet110", "state_dict": inside}
            torch.save(data, tmp_path / f"{part}{k}.pth.tar")
            entries.append(entry.model_copy(update={"checkpoint": tmp_path / f"{part}{k}.pth.tar"}))
        here[part] = tuple(entries)
    ready = jobs(config.model_copy(update={**here, "core": ()}))
    first = ready[0]
    assert (first.kind, first.name, first.sigma) == ("smoothed", config.certify[0].name, config.certify[0].sigma_train)
    kind = {"smoothadv-0.5": Normalizer.CENTER, "macer-1.0": Normalizer.NONE}.get(name, Normalizer.NORMALIZE)
    assert first.checkpoint.normalizer == kind
    assert [job.mechanism for job in ready[1:]] == [MECHANISMS["network"]] * len(config.select)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "certify: [{checkpoint: published, architecure: resnet50}]",
            r"certify\.0: unknown key 'architecure'; did you mean 'architecture'",
        ),
        ("certify: [{checkpoint: published, normalizer: centre}]", r"certify\.0\.normalizer: Input should be"),
        (
            "certify: [{checkpoint: published, sigma: [0]}]",
            r"certify\.0\.sigma\.0: Input should be greater than or equal",
        ),
        (
            "select: [{checkpoint: published, mechanism: margin}]",
            r"select\.0\.mechanism: .*unknown selection mechanism 'margin'; known: network, entropy$",
        ),
        ("core: [{checkpoint: published, normalizer: {mean: 0.5}}]", r"core\.0\.normalizer: std: is missing"),
        ("core: [{checkpoint: published, normalizer: {mean: 0, std: 0}}]", r"core\.0\.normalizer: std\.0: .*greater"),
        ("core: [{checkpoint: published, normalizer: {mean: [], std: 1}}]", r"core\.0\.normalizer: mean: .*at least 1"),
        ("core: [{checkpoint: published, normalizer: [0.5]}]", r"core\.0\.normalizer: Input should be one of"),
        ("core: [{checkpoint: absent.pth}]", r"no checkpoint at .*absent\.pth"),
    ],
)
def test_wrong_entries_are_named(tmp_path, entry, message):
    with pytest.raises(AcesError, match=message):
        read_config(write(tmp_path, f"dataset: cifar10\n{entry}\n"))


def test_a_folder_may_hold_some_of_the_classes_of_a_known_dataset(pets):
    (pets / "pets" / "cats").rename(pets / "pets" / "Egyptian cat")
    (pets / "pets" / "dogs").rename(pets / "pets" / "beagle")
    config = read_config(write(pets, "dataset: pets\ndata: {path: pets, size: 4, classes: imagenet}\n"))
    assert config.card().num_classes == 1000
    assert config.images().label.tolist() == [285, 285, 162]
    (pets / "pets" / "beagle").rename(pets / "pets" / "Beagle")
    with pytest.raises(AcesError, match="Beagle is called like no class"):
        config.images()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n: 2024-13-45", "not YAML .month must be in 1..12"),
        (f"n: {5000 * '9'}", "line 1: a number of 5,000 digits"),
        ("n: !!float 1e", "not YAML .could not convert"),
        ("n: !!timestamp x", "not YAML"),
        (10_000 * "[", "nested too deeply"),
        (10_000 * "{a: ", "nested too deeply"),
    ],
)
def test_a_config_whose_values_yaml_cannot_make_is_one_line(call, tmp_path, text, message):
    path = write(tmp_path, text)
    status, out, err = call("precompute", path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    with pytest.raises(AcesError, match=message):
        read_config(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: cifar10\nn: 1000\nn: 5000", "'n' stands twice, on line 2 and on line 3"),
        ("certify: []\ncertify: []", "'certify' stands twice"),
        ("dataset: cifar10\nchekpoint: x", "the file: unknown key 'chekpoint'; known: dataset, data, "),
        (
            "dataset: cifar10\ncertify: [{chekpoint: x}]",
            "unknown key 'chekpoint'; did you mean 'checkpoint'",
        ),
        ("dataset: cifar10\ncore: [{}]", "core.0.checkpoint: is missing"),
        ("dataset: cifar10\ncore: x.pth", "core: a list is meant here"),
        ("dataset: cifar10\ncore: [x.pth]", "core.0: keys and values are meant here"),
        ("dataset: cifar10\ndata: x", "data: keys and values are meant here"),
        ("- 1", "the file: keys and values are meant here"),
        ("dataset: cifar10\nn: yes", "n is true, which is no value of it"),
        ("dataset: cifar10\ncertify: {checkpoint: published, sigma: [on]}", "sigma is true, which is no value of it"),
        ("dataset: cifar10\nn: 1:30", "n: Input should be a valid integer"),
        ("dataset: cifar10\nn: 1e-3", "n: Input should be a valid integer"),
        ("dataset: cifar10\nn: .inf", "n: Input should be a finite number"),
        ("# nothing", "says nothing"),
    ],
)
def test_what_a_config_cannot_mean_is_one_line(call, tmp_path, text, message):
    path = write(tmp_path, text)
    status, out, err = call("precompute", path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    with pytest.raises(AcesError, match=message):
        parse_config(path)


@pytest.mark.parametrize(("text", "n"), [("1e4", 10_000), ("1_000", 1000), ("0100", 100), ("2.0e+3", 2000)])
def test_numbers_are_read_as_people_write_them(tmp_path, text, n):
    assert parse_config(write(tmp_path, f"dataset: cifar10\nn: {text}\n")).n == n


def test_one_value_is_a_list_of_one(tmp_path):
    text = "dataset: cifar10\ncertify: {checkpoint: published, sigma: 0.25}\ncore: {checkpoint: published}\n"
    config = parse_config(write(tmp_path, text))
    assert [entry.sigma for entry in config.certify] == [(0.25,)]
    assert len(config.core) == 1


def test_a_byte_order_mark_is_no_part_of_a_config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfdataset: cifar10\n")
    assert parse_config(path).dataset == "cifar10"


def units(pets, more: str = "", sigma: float = 64) -> Config:
    torch.save(
        {"arch": "cifar_resnet20", "state_dict": ARCHITECTURES["resnet20"].build(10, 3).state_dict()}, pets / "n.pth"
    )
    text = f"dataset: cifar10\n{more}certify: [{{checkpoint: n.pth, sigma: {sigma}, sigma_train: {sigma}}}]\n"
    return parse_config(write(pets, text))


def test_noise_and_radii_that_can_hardly_be_meant_have_to_be_meant(pets):
    with pytest.raises(AcesError, match=r"n\.pth: sigma 64 is more than 2, .*--units-are-right"):
        jobs(units(pets))
    with pytest.raises(AcesError, match=r"decide: a radius of 64 is more than 55\.4"):
        jobs(units(pets, "decide: {r: 64}\n", 2))
    for config in (units(pets, "units_are_right: true\ndecide: {r: 64}\n"), units(pets, sigma=2)):
        assert [job.sigma for job in jobs(config)] == list(config.certify[0].sigma)


def test_constants_and_a_set_of_weights_are_said_of_a_checkpoint(tmp_path):
    text = (
        "dataset: cifar10\ncore: [{checkpoint: published, weights: ema, normalizer: {mean: 0.5, std: [1, 2, 0.1]}}]\n"
    )
    entry = read_config(write(tmp_path, text)).core[0]
    assert (entry.weights, str(entry.normalizer)) == ("ema", "0.5/1.0,2.0,0.1")


def test_networks_of_libraries_lie_beside_the_config_or_in_the_cache(tmp_path):
    (tmp_path / "vit").mkdir()
    text = (
        "dataset: cifar10\ncore: [{checkpoint: 'transformers:vit'}, {checkpoint: 'timm:resnet18.a1_in1k', name: b}]\n"
    )
    first, second = read_config(write(tmp_path, text)).core
    assert str(first.checkpoint) == f"transformers:{(tmp_path / 'vit').resolve()}"
    assert str(second.checkpoint) == "timm:resnet18.a1_in1k"
