"""Numbers as people write them. Python's `float` and `int` also take 1_0 for 10, and digits of other scripts."""

import re

_DECIMAL = re.compile(
    r"[+-]?((\d+|\d{1,3}(_\d{3})+)(\.\d*)?(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE
)


def is_decimal(text: str) -> bool:
    """Return whether a text is a decimal number, `inf` or `nan`; underscores may separate thousands."""
    return _DECIMAL.fullmatch(text.strip()) is not None
