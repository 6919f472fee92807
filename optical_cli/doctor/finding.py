"""The result of a check: what was found, whether it is a fault, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]
"""`warning`: experiments run slower, or some cannot run; `fault`: no experiment can run."""


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    what: str  # what was checked, in a word or two
    state: State
    found: str
    mend: str = ""  # what to do about it
