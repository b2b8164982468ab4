"""The public import path of the records: of what they say of themselves, what they hold, and their files."""

from engine.records.meta import *  # noqa: F403
from engine.records.runs import *  # noqa: F403
