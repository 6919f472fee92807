"""The two ways a text is encoded."""

from typing import Literal

Side = Literal["query", "document"]
SIDES: tuple[Side, Side] = ("query", "document")
