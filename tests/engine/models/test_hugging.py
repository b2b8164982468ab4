"""Tiny random networks of Hugging Face's libraries, saved as theirs are: same logits, own preprocessing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cache import Store
from engine import datasets
from engine.datasets import Transform
from engine.errors import AcesError
from engine.models import Constants, Hints, Normalizer, load
from engine.models.hugging import read

transformers = pytest.importorskip("transformers", reason="transformers is optional: pip install 'aces-explorer[hf]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own, on import and use

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
CONFIGS = {
    "vit": lambda m: transformers.ViTConfig(**SMALL, image_size=16, patch_size=8, num_labels=m),
    "beit": lambda m: transformers.BeitConfig(**SMALL, image_size=16, patch_size=8, num_labels=m),
    "convnext": lambda m: transformers.ConvNextConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_labels=m, image_size=32
    ),
}
SAID = {
    "do_normalize": True,
    "do_rescale": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
    "size": {"height": 16, "width": 16},
    "resample": 2,
}


def build(kind: str, m: int = 3):
    torch.manual_seed(0)
    model = transformers.AutoModelForImageClassification.from_config(CONFIGS[kind](m)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def folder(path: Path, kind: str = "vit", m: int = 3, **changes) -> Path:
    build(kind, m).save_pretrained(path)
    said = {key: value for key, value in {**SAID, **changes}.items() if value is not None}
    (path / "preprocessor_config.json").write_text(json.dumps(said))
    return path


def named(path: Path) -> Path:
    return Path(f"transformers:{path}")


def own(path: Path, size: int = 16, names: tuple[str, ...] = ("cat", "dog", "fox")):
    """Pictures of one's own, one folder a class."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(names):
        (path / name).mkdir(parents=True)
        for k in range(2):
            pixels = (60 * label + rng.integers(0, 60, (size, size, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{k}.png")
    return datasets.own_card("zoo", path, size)


@pytest.mark.parametrize("kind", CONFIGS)
def test_logits_are_the_librarys_behind_its_own_preprocessing(tmp_path, kind):
    size = 32 if kind == "convnext" else 16
    path = folder(tmp_path / kind, kind, size={"height": size, "width": size})
    loaded = load(named(path), Hints(dataset=own(tmp_path / "pictures", size)))
    x = torch.rand(2, 3, size, size)
    mean, std = (torch.tensor(SAID[name]).view(-1, 1, 1) for name in ("image_mean", "image_std"))
    with torch.inference_mode():
        expected = build(kind)(pixel_values=(x - mean) / std).logits
        assert torch.allclose(loaded.network(x), expected, atol=1e-6)
    assert (loaded.outputs, loaded.normalizer) == (3, Constants((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    assert (loaded.card.name, loaded.card.dataset, loaded.transform) == (kind, "zoo", None)
    assert loaded.card.architecture.startswith("transformers:")


def test_its_identity_is_that_of_its_weights_and_normaliser(tmp_path):
    data = own(tmp_path / "pictures")
    a, b = (load(named(folder(tmp_path / name)), Hints(dataset=data)).sha256 for name in "ab")
    assert a == b
    assert load(named(tmp_path / "a"), Hints(dataset=data, normalizer=Normalizer.NONE)).sha256 != a


@pytest.mark.parametrize(
    ("changes", "transform"),
    [
        ({"size": 24}, Transform(24, 24, False)),
        ({"size": {"shortest_edge": 24}, "resample": 3}, Transform(24, 24, True)),
        ({"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": 28}, Transform(28, 32, False)),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, Transform(224, 256, False)),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, Transform(384, 384, False)),
        ({"size": None}, Transform(16, 16, False)),  # the network's own
    ],
    ids=str,
)
def test_the_size_of_its_pictures_is_what_its_configuration_says(tmp_path, changes, transform):
    assert read(named(folder(tmp_path / "net", **changes))).transform == transform


def test_without_normalisation_there_is_none(tmp_path):
    assert read(named(folder(tmp_path / "net", do_normalize=False))).normalizer == Normalizer.NONE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rescale_factor": 1 / 127.5}, r"pixels of another range than \[0, 1\]"),
        ({"do_rescale": False}, r"pixels of another range than \[0, 1\]"),
        ({"rescale_factor": "x"}, r"pixels of another range than \[0, 1\]"),
        ({"image_mean": None}, "names no image_mean and image_std"),
        ({"image_mean": ["a"]}, "lists of numbers"),
        ({"image_std": [0, 0, 0]}, "a deviation one above 0"),
        ({"crop_pct": 0}, r"crop_pct lies in \(0, 1\]"),
    ],
    ids=str,
)
def test_preprocessing_that_is_not_done_here_is_refused(tmp_path, changes, message):
    with pytest.raises(AcesError, match=message):
        read(named(folder(tmp_path / "net", **changes)))


def test_a_network_without_preprocessing_is_refused(tmp_path):
    path = folder(tmp_path / "net")
    (path / "preprocessor_config.json").unlink()
    with pytest.raises(AcesError, match=r"lacks preprocessor_config\.json"):
        read(named(path))


def test_weights_that_are_missing_are_no_random_numbers(tmp_path):
    path = folder(tmp_path / "net")
    transformers.ViTModel(CONFIGS["vit"](3)).save_pretrained(path)
    with pytest.raises(AcesError, match="does not fit ViT"):
        read(named(path))


def test_pickles_are_not_read(tmp_path):
    path = folder(tmp_path / "net")
    (path / "model.safetensors").unlink()
    with pytest.raises(AcesError, match=r"holds no weights: model\.safetensors is needed"):
        read(named(path))
    torch.save({}, path / "pytorch_model.bin")
    with pytest.raises(AcesError, match=r"holds pytorch_model\.bin, a pickle: model\.safetensors is needed"):
        read(named(path))


@pytest.mark.parametrize("part", ["../net.safetensors", "/etc/passwd", "net.bin"])
def test_parts_lie_beside_their_index(tmp_path, part):
    path = folder(tmp_path / "net")
    (path / "model.safetensors").rename(tmp_path / "net.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": part}}))
    with pytest.raises(AcesError, match="which is no safetensors file beside it"):
        read(named(path))


def test_weights_in_parts_are_read(tmp_path):
    path = folder(tmp_path / "net")
    whole = read(named(path)).body.state_dict()
    (path / "model.safetensors").unlink()
    build("vit").save_pretrained(path, max_shard_size="4KB")
    assert len(list(path.glob("model-*.safetensors"))) > 1
    parts = read(named(path)).body.state_dict()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())
    next(path.glob("model-*.safetensors")).unlink()
    with pytest.raises(AcesError, match="a part of its weights"):
        read(named(path))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", "{", "is damaged"),
        ("config.json", "[]", "it is a list, not an object"),
        ("config.json", '{"model_type": "nonsense"}', "transformers cannot build it"),
        ("config.json", '{"model_type": "vit", "quantization_config": {}}', "is quantised"),
        ("adapter_config.json", "{}", "holds an adapter"),
        ("preprocessor_config.json", "[" * 100_000, "is damaged"),
        ("model.safetensors", "version https://git-lfs.github.com/spec/v1\nsize 5\n", "a pointer of Git LFS"),
    ],
    ids=str,
)
def test_folders_that_strangers_wrote_are_refused_in_one_line(tmp_path, file, text, message):
    path = folder(tmp_path / "net")
    (path / file).write_text(text)
    with pytest.raises(AcesError, match=message) as caught:
        read(named(path))
    assert "\n" not in str(caught.value)


def test_code_in_a_folder_does_not_run(tmp_path):
    path = folder(tmp_path / "net")
    (path / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'it-ran')!r}).touch()\n")
    said = json.loads((path / "config.json").read_text())
    said["auto_map"] = {"AutoConfig": "evil.C", "AutoModelForImageClassification": "evil.M"}
    (path / "config.json").write_text(json.dumps(said))
    read(named(path))
    (path / "config.json").write_text(json.dumps({**said, "model_type": "evil"}))
    with pytest.raises(AcesError, match="transformers cannot build it"):
        read(named(path))
    assert not (tmp_path / "it-ran").exists()


def test_classes_in_another_order_are_refused(tmp_path):
    path = folder(tmp_path / "net")
    said = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**said, "id2label": {"0": "Dog", "1": "cat", "2": "fox"}}))
    with pytest.raises(AcesError, match="in another order: its class 0 is 'Dog', the dataset's 'cat'"):
        load(named(path), Hints(dataset=own(tmp_path / "pictures")))


def test_a_name_is_looked_up_in_the_cache_and_never_downloaded(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(AcesError, match="not in the cache of Hugging Face; nothing is downloaded"):
        read(Path("transformers:somebody/tiny-vit"))
    snapshot = tmp_path / "hub" / "models--somebody--tiny-vit" / "snapshots" / ("a" * 40)
    folder(snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    assert read(Path("transformers:somebody/tiny-vit")).outputs == 3


@pytest.mark.parametrize("name", ["", "../..", "a b", "x" * 300, "-", "a/b/c/d"])
def test_what_is_no_name_of_a_network_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AcesError):
        read(Path(f"transformers:{name}"))


def test_without_transformers_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    path = folder(tmp_path / "net")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AcesError, match=r"needs transformers: pip install 'aces-explorer\[hf\]'"):
        read(named(path))


def test_what_a_network_says_itself_is_not_said_again(tmp_path):
    with pytest.raises(AcesError, match="says its architecture itself"):
        load(named(tmp_path), Hints(architecture="resnet20"))


def test_a_folder_of_timm(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is optional: pip install 'aces-explorer[hf]'")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    arguments = {"img_size": 16, "patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 2}
    model = timm.create_model("vit_tiny_patch16_224", num_classes=3, **arguments).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 16, 16], "crop_pct": 1.0, "interpolation": "bicubic"}
    said = {"architecture": "vit_tiny_patch16_224", "num_classes": 3, "model_args": arguments, "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(said))
    loaded = load(Path(f"timm:{tmp_path}"), Hints(dataset=own(tmp_path / "pictures")))
    x = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(loaded.network(x), model(2 * x - 1))
    (tmp_path / "config.json").write_text(json.dumps({**said, "architecture": "hf-hub:a/b"}))
    with pytest.raises(AcesError, match="is none of timm"):
        load(Path(f"timm:{tmp_path}"))


def test_a_tiny_vit_is_sampled_from_a_config(call, tmp_path):
    """From the folder that save_pretrained wrote, on pictures of one's own, to runs and a table."""
    own(tmp_path / "pictures", 20)
    folder(tmp_path / "vit")
    folder(tmp_path / "beit", "beit")
    (tmp_path / "zoo.yaml").write_text(
        "dataset: zoo\ndata: {path: pictures, size: 16}\nn0: 10\nn: 100\n"
        "certify: [{checkpoint: 'transformers:vit', sigma: [0.25]}]\ncore: [{checkpoint: 'transformers:beit'}]\n"
    )
    status, out, err = call("precompute", tmp_path / "zoo.yaml", "--cache", tmp_path / "store")
    assert status == 0, err
    with Store(tmp_path / "store") as store:
        vit, beit = store.find("vit"), store.find("beit")
    assert vit is not None
    assert beit is not None
    assert vit.class_counts.sum(1).tolist() == [100] * 6
    assert vit.meta.network.sha256 == load(named(tmp_path / "vit"), Hints(dataset=own(tmp_path / "p"))).sha256
    assert set(beit.prediction.tolist()) <= {0, 1, 2}
    status, out, err = call("table", "--certify", "vit", "--core", "beit", "--cache", tmp_path / "store")
    assert (status, "acr" in out.lower()) == (0, True), err
