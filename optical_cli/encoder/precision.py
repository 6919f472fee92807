"""Which number format a machine computes with; known without torch, because keys depend on it."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

Resolved = Literal["float32", "bfloat16"]

_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}  # as the kernels of x86 and ARM Linux spell them


def resolve_precision(wanted: str) -> Resolved:
    """What `auto` means here: bfloat16 on a processor or a GPU with units for it, else float32."""
    if wanted == "auto":
        return "bfloat16" if _has_bfloat16_units() else "float32"
    return "bfloat16" if wanted == "bfloat16" else "float32"


@lru_cache(maxsize=1)
def _has_bfloat16_units() -> bool:
    if Path("/proc/driver/nvidia/version").exists():
        return True
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool(_UNITS & set(flags.split()))
