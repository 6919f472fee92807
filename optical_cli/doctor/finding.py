"""What was looked at, how it stands, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]
"""`warning`: experiments run, but slower, or not all of them; `fault`: they do not."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str  # in a word or two
    state: State
    found: str
    mend: str = ""  # what to do about it
