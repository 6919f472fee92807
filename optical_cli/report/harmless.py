"""Text of a report that came from data, and is read in a terminal or a browser."""

import re

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, which steer a terminal and are no part of HTML or SVG, and those that turn the order of what is
around them, so that a sentence can be made to say something else."""


def harmless(text: str) -> str:
    """The text with each character that steers what shows it spelled out."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
