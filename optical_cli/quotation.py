"""What messages quote: names, records and values as they were found, and what another library's error says."""

QUOTED = 60
"""Characters of a text that a message has room for."""


def shortened(text: str, most: int = QUOTED) -> str:
    """A text, or of a longer one its beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def quoted(value: object) -> str:
    """A value as a message shows it: on one line, shortened."""
    return repr(shortened(value if isinstance(value, str) else repr(value)))


def one_line(error: BaseException) -> str:
    """What another library's error says, on one line, shortened."""
    return shortened(" ".join(f"{type(error).__name__}: {error}".split()), 4 * QUOTED)
