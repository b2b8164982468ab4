"""The tests mirror the packages; what speaks of the whole project lies beside this file."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
