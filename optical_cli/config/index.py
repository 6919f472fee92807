"""How an index keeps the tokens of its documents."""

from typing import Annotated, Any, Literal

from pydantic import Field

from optical_cli.config.settings import Number, Settings

Storage = Literal["float16", "int8"]


class Index(Settings):
    """What is kept of the documents; topics are always as they were encoded.

    Attributes:
        pool_factor: 2 keeps about half of a document's tokens, each the mean of some that are alike; 1 keeps all.
        storage: of each number: `float16`, or `int8`, half as large, with a scale a token.
    """

    pool_factor: Annotated[Number, Field(ge=1)] = 1.0
    storage: Storage = "float16"

    def deciding(self) -> dict[str, Any]:
        """The settings that are not the default, as JSON values: other indexes keep the key they always had."""
        return self.model_dump(exclude_defaults=True)

    @property
    def name(self) -> str:
        """`pool2-int8`, as labels and tags have it; nothing for the default."""
        parts = {f"pool{self.pool_factor:g}": self.pool_factor > 1, self.storage: self.storage != "float16"}
        return "-".join(part for part, said in parts.items() if said)

    @property
    def in_words(self) -> str:
        """`tokens pooled by 2 (index.pool_factor), a byte a number (index.storage)`; nothing for the default."""
        parts = {
            f"tokens pooled by {self.pool_factor:g} (index.pool_factor)": self.pool_factor > 1,
            "a byte a number (index.storage)": self.storage == "int8",
        }
        return ", ".join(part for part, said in parts.items() if said)
