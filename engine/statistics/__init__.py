"""Bounds, Algorithms 1 and 4, metrics and their intervals: from counts to numbers. Needs numpy and scipy only."""
