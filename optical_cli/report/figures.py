"""How a report writes its figures."""

import math

SMALLEST_P = 1e-4


def signed(value: float) -> str:
    """`+0.023`, `−0.004`, with a true minus sign; `0.000` for less than it can show."""
    text = f"{abs(value):.3f}"
    return text if text == "0.000" else f"{'−' if value < 0 else '+'}{text}"


def p_value(p: float) -> str:
    """`0.034`, `< 0.0001`."""
    return f"< {SMALLEST_P:.4f}" if p < SMALLEST_P else f"{p:.2g}" if p < 0.001 else f"{p:.3f}"


def effect(d_z: float) -> str:
    """`0.41`, `−0.12`, `inf` where every topic has the same difference."""
    return f"{'−' if d_z < 0 else ''}{'inf' if math.isinf(d_z) else f'{abs(d_z):.2f}'}"


def percent(share: float) -> str:
    """`63 %`."""
    return f"{100 * share:.0f} %"


def several(count: int, one: str) -> str:
    """`1 topic`, `3 topics`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
