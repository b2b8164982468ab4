"""The public import path of `engine.statistics.aces`."""

from engine.statistics.aces import *  # noqa: F403
from engine.statistics.corrections import *  # noqa: F403
from engine.statistics.stage import *  # noqa: F403
from engine.statistics.thresholds import *  # noqa: F403
