"""The public import path of `engine.records.runs`."""

from engine.records.runs import *  # noqa: F403
