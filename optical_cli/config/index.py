"""How an index keeps the tokens of its documents."""

from typing import Annotated, Any

from pydantic import Field

from optical_cli.config.settings import Number, Settings


class Index(Settings):
    """What is kept of the documents; topics are always as they were encoded.

    Attributes:
        pool_factor: 2 keeps about half of a document's tokens, each the mean of some that are alike; 1 keeps all.
    """

    pool_factor: Annotated[Number, Field(ge=1)] = 1.0

    def deciding(self) -> dict[str, Any]:
        """The settings that are not the default, as JSON values: other indexes keep the key they always had."""
        return self.model_dump(exclude_defaults=True)

    @property
    def name(self) -> str:
        """`pool2`, as labels and tags have it; nothing for the default."""
        return f"pool{self.pool_factor:g}" if self.pool_factor > 1 else ""
