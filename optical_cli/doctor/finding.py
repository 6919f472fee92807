"""What was looked at, how it stands, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: it is, in a word or two.
        state: `ok`; `warning`: experiments run, but slower, or not all of them; `fault`: they do not.
        found: what is there.
        mend: what to do about it; "" if nothing.
    """

    what: str
    state: State
    found: str
    mend: str = ""
