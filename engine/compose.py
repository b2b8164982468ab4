"""The public import path of `engine.records.compose`."""

from engine.records.compose import *  # noqa: F403
