"""Draws 60 pictures of three classes into shapes/, and 60 others into learn/: stands for the pictures that you have."""

from pathlib import Path

import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
for split in ("shapes", "learn"):
    for label, name in enumerate(("circle", "square", "stripes")):
        folder = Path(split, name)
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(20):
            y, x = np.mgrid[:32, :32] - rng.uniform(12, 20, (2, 1, 1))
            inside = (x**2 + y**2 < 80, np.maximum(abs(x), abs(y)) < 8, x % 8 < 4)[label]
            light, dark = rng.integers(150, 255, 3), rng.integers(0, 90, 3)
            pixels = np.where(inside[..., None], light, dark) + rng.integers(-8, 8, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{k:02}.png")
