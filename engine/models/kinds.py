"""Kinds of tensors that are no weights of a float network: refused by name, before they could be taken for some."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
COUNTERS = ".num_batches_tracked"  # of batch norms: absent from files of old torch, and of no consequence


def fault_of(tensor: Tensor) -> str | None:
    """What keeps a tensor from being weights or a buffer, in words that follow its name; None if nothing.

    Memory is not allocated on a file's word: whether all values are there is known before they are looked at.

    >>> fault_of(torch.tensor([1.0, torch.nan]))
    'has 1 of 2 values that is NaN or infinite'
    """
    if tensor.is_quantized:
        return f"is quantised ({_named(tensor.dtype)}): save the weights as floats"
    if tensor.is_nested:
        return "is a nested tensor: save plain ones"
    if tensor.layout != torch.strided:
        return f"is sparse ({_named(tensor.layout)}): save it dense"
    if tensor.device.type == "meta":
        return "is on the device meta, which has shapes and no values"
    if tensor.is_complex():
        return f"is complex ({_named(tensor.dtype)}): networks here have real weights"
    if tensor.dtype not in (*FLOATS, *WHOLE):
        return f"is of the kind {_named(tensor.dtype)}, whose scale is not beside it: save it as float32"
    if tensor.device.type != "cpu" or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "is no plain tensor that holds all its values"
    return _not_finite(tensor)


def _not_finite(tensor: Tensor) -> str | None:
    """As float32, which networks are built in: what is too large for it is infinite there."""
    if not tensor.is_floating_point():
        return None
    bad = int((~torch.isfinite(tensor.detach().float())).sum())
    return (
        f"has {bad:,} of {tensor.numel():,} values that {'is' if bad == 1 else 'are'} NaN or infinite" if bad else None
    )


def other_than_meant(weights: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> str | None:
    """The first tensor of which a network needs floats and gets whole numbers, or the other way round; with the reason.

    ``load_state_dict`` would convert them in silence, and integers of a quantised copy mean nothing without its scales.
    """
    for name, wanted in needed.items():
        found = weights.get(name)
        if found is None or name.endswith(COUNTERS) or found.is_floating_point() == wanted.is_floating_point():
            continue
        held, meant = ("floats", "whole numbers") if found.is_floating_point() else ("whole numbers", "floats")
        return f"{shown(name)!r} holds {held} ({_named(found.dtype)}) where {meant} are meant"
    return None


def shown(name: str) -> str:
    """A name out of a file, for a message: printable, and no longer than a line has room for."""
    return ascii(name)[1:-1][:60]


def _named(what: object) -> str:
    return str(what).removeprefix("torch.")
