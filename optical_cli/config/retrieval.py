"""The search of an index. The engines are in `config/engines.py`."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from optical_cli.config.engines import ENGINES, EXACT, Approximate, EngineSettings, SearchEngine
from optical_cli.config.settings import Bytes, Count, Precision, Settings, SpeedOnly


def _known_engine(name: str) -> str:
    if name not in ENGINES:
        known = " or ".join(f"{engine.name} ({engine.sentence})" for engine in ENGINES.values())
        raise ValueError(f"unknown engine {name!r}; {known} expected")
    return name


class Retrieval(Settings):
    """The search.

    Attributes:
        engine: `exact`, MaxSim over every document, or `approximate`, over the promising ones.
        depth: documents kept for a topic.
        memory: bytes that the search may take beside the pages of the index.
        precision: of the matrix products that tell which documents to score; `auto` is the faster one.
        approximate: settings of that engine.
    """

    engine: Annotated[str, AfterValidator(_known_engine)] = EXACT.name
    depth: Count = 100
    memory: Annotated[Bytes, SpeedOnly("scores are computed apart from the blocks")] = 1 << 30
    precision: Annotated[Precision, SpeedOnly("what may be among the best is scored in float32")] = "auto"
    approximate: Approximate = Approximate()

    @model_validator(mode="after")
    def _enough_to_keep(self) -> Self:
        try:
            self.of(ENGINES[self.engine]).check(self.depth)
        except ValueError as error:
            raise ValueError(f"{self.engine}.{error}") from error
        return self

    def of(self, engine: SearchEngine) -> EngineSettings:
        """The settings of an engine alone."""
        own: EngineSettings = getattr(self, engine.name, EngineSettings())
        return own

    def deciding_by(self, engine: SearchEngine) -> dict[str, Any]:
        """Settings that can change a run by an engine, as JSON values: key material. Those of other engines do not."""
        shared = {name: value for name, value in self.deciding().items() if name not in ENGINES}
        own = self.of(engine).of_the_search
        return {**shared, "engine": engine.name, **({engine.name: own} if own else {})}
