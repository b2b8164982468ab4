"""A deposit: runs with their cards, settings, tables and digests in one folder, from which a stranger derives a paper's
numbers again without anything else of its authors.
"""

from engine.deposits.checking import DepositCheck, check_deposit
from engine.deposits.making import make_deposit
from engine.deposits.manifest import MANIFEST, AloneTerms, DepositedSystem

__all__ = ["MANIFEST", "AloneTerms", "DepositCheck", "DepositedSystem", "check_deposit", "make_deposit"]
