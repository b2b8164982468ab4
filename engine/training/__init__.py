"""Training methods, one file each: a loss that reads like its formula; one shared loop (``loop``).

A method is a function ``(network, x, y, sigma, generator) -> (loss, logits)``.
"""

from engine.training.gaussian import gaussian
from engine.training.loop import Recipe, train
from engine.training.methods import METHODS, Method, recipe
from engine.training.standard import standard

__all__ = ["METHODS", "Method", "Recipe", "gaussian", "recipe", "standard", "train"]
