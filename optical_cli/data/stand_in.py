"""What stands for a source that is not on this machine, where keys are worked out and nothing is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.documents import Document
from optical_cli.data.held import Held
from optical_cli.errors import NotHere

MARK = "not here: "


@dataclass(frozen=True)
class StandIn:
    """A model, bitext, collection, set of topics or of judgements that is not here.

    Attributes:
        name: of the source.
        reason: what its reader said.
    """

    name: str
    reason: str

    def fingerprint(self, _memo: Fingerprints) -> str:
        """No digest: a mark, by which a key that it is in is known to be none."""
        return f"{MARK}{self.reason}"

    def held(self, _memo: Fingerprints | None = None, /) -> Held:
        """Refuse; so do those below.

        Raises:
            NotHere: always.
        """
        self._refuse()

    def documents(self) -> Iterator[Document]:
        """Refuse, as above."""
        self._refuse()

    def count(self) -> int | None:
        """Unknown."""
        return None

    def topics(self) -> dict[str, str]:
        """Refuse, as above."""
        self._refuse()

    def judgements(self) -> dict[str, dict[str, int]]:
        """Refuse, as above."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotHere(self.reason)
