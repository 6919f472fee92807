"""The search: every document, or those that a quantised index finds promising."""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from optical_cli.config.settings import Bytes, Count, CountFromZero, Precision, Seed, Settings, SpeedOnly

NEEDS_FAISS = (
    "retrieval.engine: approximate needs faiss, which is not installed: pip install 'optical-cli[approximate]', or "
    "search by exact"
)

SPARE = 5
"""Times the depth that is rescored by default."""


class Approximate(Settings):
    """How the approximate search is cut short.

    Attributes:
        lists: that the tokens of a collection are dealt out to, each to the one it is nearest to; null for the power of
            two next to twice the square root of their number, 32,768 at most.
        code_bytes: of a token in its list.
        probes: lists that each token of a topic looks into.
        rescored: documents of a topic, the most promising ones, that are scored exactly; null for five times the depth.
        checked: topics that are searched exactly too, to say how many of their best documents were found.
        seed: draws the tokens that lists and codes are fitted to, and the topics that are checked.
    """

    lists: Count | None = None
    code_bytes: Count = 32
    probes: Count = 8
    rescored: Count | None = None
    checked: CountFromZero = 20
    seed: Seed = 13

    @property
    def of_the_structure(self) -> dict[str, Any]:
        """What the quantised index depends on, as JSON values."""
        return self.model_dump(include={"lists", "code_bytes", "seed"})

    @property
    def of_the_search(self) -> dict[str, Any]:
        """What a search of it depends on beside, as JSON values."""
        return self.model_dump(exclude={"lists", "code_bytes"})


class Retrieval(Settings):
    """The search.

    Attributes:
        engine: `exact`, MaxSim over every document, or `approximate`, over those that are promising.
        depth: documents kept for a topic.
        memory: what the search may take, the index's own pages left out.
        precision: of the matrix products that tell which documents to score; `auto` is the faster one.
        approximate: how that engine is cut short.
    """

    engine: Literal["exact", "approximate"] = "exact"
    depth: Count = 100
    memory: Annotated[Bytes, SpeedOnly("scores are computed apart from the blocks")] = 1 << 30
    precision: Annotated[Precision, SpeedOnly("what may be among the best is scored in float32")] = "auto"
    approximate: Approximate = Approximate()

    @model_validator(mode="after")
    def _enough_to_keep(self) -> Self:
        rescored = self.approximate.rescored
        if self.engine == "approximate" and rescored is not None and rescored < self.depth:
            raise ValueError(
                f"approximate.rescored: at least retrieval.depth ({self.depth}) expected, found {rescored}; "
                "no other documents are kept"
            )
        return self

    def deciding(self) -> dict[str, Any]:
        """The settings that can change a result, as JSON values: key material."""
        found = super().deciding()
        del found["approximate"]  # an exact run is that of a version without the other engine
        return {**found, "approximate": self.approximate.of_the_search} if self.engine == "approximate" else found

    @property
    def rescored(self) -> int:
        """Documents of a topic that an approximate search scores exactly."""
        return self.approximate.rescored or SPARE * self.depth

    @property
    def exact(self) -> Self:
        """The same search by the exact engine."""
        return self.model_copy(update={"engine": "exact"})
