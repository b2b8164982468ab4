"""The public import path of `engine.statistics.bounds`."""

from engine.statistics.bounds import *  # noqa: F403
