"""The cost of moving mass from one token to another."""

import torch
from torch import Tensor


def cosine_cost(t: Tensor, s: Tensor) -> Tensor:
    """One minus the cosine of every pair of tokens, 0 (same direction) to 2 (opposite).

    Args:
        t: (B, n, d) teacher tokens of unit length.
        s: (B, m, d) student tokens of unit length; rows of both that are padding may hold any finite number.

    Returns:
        (B, n, m) in float64 if both are float64, else in float32, under autocast as well: reg is compared with
        these costs down to 0.001, where bfloat16 has nothing left to say.
    """
    with torch.autocast(t.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(t.dtype, s.dtype), torch.float32)
        return 1 - t.to(dtype) @ s.to(dtype).transpose(-1, -2)  # (B, n, d) @ (B, d, m)
