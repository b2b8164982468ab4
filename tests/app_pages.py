"""What tests do with a page that runs without a browser."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from streamlit.testing.v1 import AppTest

from engine.mechanisms import ENTROPY
from engine.records.compose import Composition
from engine.records.runs import CoreRun, write_run
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain
from tests import synthetic


def turn(page: AppTest, dial: str, value: float, at: float = 1.0) -> AppTest:
    """Turn a dial as the browser does; ``at`` is when, which grows from one change to the next."""
    state = page.session_state[f"{dial}_dial"]
    state["chosen"] = {"value": value, "at": at, "heard": 0}
    return page


IMAGES = 40
CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, PAPER = "certified-accuracy", "selection", "images", "compare", "paper"
A_PIN = "gaussian~0.5~fashion_mnist-core~entropy~0.300"


def specs(page: AppTest) -> list[str]:
    drawn = [one.proto for one in page.get("bidi_component") if one.proto.component_name == "aces_figure"]
    return [json.dumps(json.loads(proto.bytes)["figure"]) for proto in drawn]


def shown(page: AppTest, dial: str) -> float:
    """What the page says to a dial."""
    said = [json.loads(one.proto.bytes) for one in page.get("bidi_component") if b'"stops"' in one.proto.bytes]
    return next(one["value"] for one in said if one["key"] == dial)


def tiles(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def captions(page: AppTest) -> str:
    """What stands in small letters, the chips' whole sentences among it."""
    return "\n".join([*(caption.value for caption in page.caption), *chips(page)])


def chips(page: AppTest) -> list[str]:
    """The chips above a page, in full."""
    every = "".join(one.proto.body for one in page.get("html"))
    return [html.unescape(said) for said in re.findall(r"<li>(.*?)</li>", every)]


def damage(folder: Path, name: str) -> None:
    """Make a run's arrays contradict its meta, which stays readable."""
    path = folder / f"{name}.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"class_counts": arrays["class_counts"] + 1})


def other_copy(demo: Path, certify: float | None = None) -> None:
    """Let the core network, or the certification network of a noise, be asked about a copy in another order."""
    run = synthetic.core(IMAGES) if certify is None else synthetic.smoothed(certify, IMAGES)
    write_run(replace(run, label=(run.label + 1) % 10), demo / f"{run.meta.name}.npz")


def core_of_other_images_alone(demo: Path) -> None:
    """Leave one core network, which was evaluated on images that no certification network saw."""
    (demo / f"{synthetic.OTHER_CORE}.npz").unlink()
    stranger = synthetic.core(IMAGES)
    write_run(replace(stranger, index=stranger.index + 1), demo / f"{synthetic.CORE}.npz")


def said(page: AppTest) -> str:
    """Every text of the page itself, the sidebar left out, that a person can read or point at."""
    main = page.main
    kinds = ("markdown", "caption", "latex", "metric", "info", "warning")
    texts = [" ".join((e.value, e.proto.help if hasattr(e.proto, "help") else "")) for k in kinds for e in main.get(k)]
    tables = [str(table.proto.columns) for table in main.get("arrow_data_frame")]
    return "\n".join([*texts, *tables, *specs(page), *(metric.label for metric in main.metric)])


def is_undecided(c: Composition, index: int, theta: float) -> bool:
    return explain(c, index, theta, 0.001, Correction.SIMULTANEOUS, ENTROPY.words).select is None


def write_photographs(path: Path, run: CoreRun) -> None:
    """A split of grey 32 x 32 pictures with the labels of the run at its indices."""
    label = np.zeros(run.index[-1] + 1, np.int64)
    label[run.index] = run.label
    out = BytesIO()
    Image.new("RGB", (32, 32), "grey").save(out, "PNG")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"image": [out.getvalue()] * len(label), "label": label}), path)
