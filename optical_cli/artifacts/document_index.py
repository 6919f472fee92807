"""A dense index: the token embeddings of a collection and the ids of its documents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from optical_cli.artifacts.token_store import TokenStore
from optical_cli.errors import CacheError

DOC_IDS = "doc_ids.txt"


@dataclass(frozen=True)
class DocumentIndex:
    """Documents in the order of the collection.

    Attributes:
        store: their token embeddings.
        doc_ids: their ids.
    """

    store: TokenStore
    doc_ids: list[str]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an index folder.

        Raises:
            CacheError: ids and embeddings do not belong together.
        """
        doc_ids = (folder / DOC_IDS).read_text(encoding="utf-8").split("\n")[:-1]
        store = TokenStore.open(folder)
        if len(store) != len(doc_ids):
            raise CacheError(
                f"{folder}: {len(doc_ids)} ids and {len(store)} documents; "
                f"`optical cache remove {folder.name}` and run again"
            )
        return cls(store, doc_ids)
