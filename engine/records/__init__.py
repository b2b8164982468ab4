"""Runs, draws and counts, and how runs are put together. Needs numpy only."""
