"""Settings of the search. The engines are in `config/engines.py`."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from optical_cli.config.engines import ENGINES, EXACT, Approximate, EngineSettings, SearchEngine
from optical_cli.config.settings import Bytes, Count, Precision, Settings, SpeedOnly


def _known_engine(name: str) -> str:
    if name not in ENGINES:
        known = " or ".join(f"{engine.name} ({engine.sentence})" for engine in ENGINES.values())
        raise ValueError(f"unknown engine {name!r}; expected {known}")
    return name


class Retrieval(Settings):
    """The search of an index.

    Attributes:
        engine: Search engine. `approximate` needs faiss: pip install 'optical-cli[approximate]'.
        depth: Number of documents kept for each topic.
        memory: Memory limit of the search, in bytes or as `2GB`; the memory-mapped index does not count.
        precision: Number format of the matrix products that find the documents to score; `auto` uses the faster
            format.
        approximate: Settings of the engine `approximate`.
    """

    engine: Annotated[str, AfterValidator(_known_engine)] = EXACT.name
    depth: Count = 100
    memory: Annotated[Bytes, SpeedOnly("a score does not depend on the size of the blocks")] = 1 << 30
    precision: Annotated[Precision, SpeedOnly("every document that may be kept is scored in float32")] = "auto"
    approximate: Approximate = Approximate()

    @model_validator(mode="after")
    def _enough_to_keep(self) -> Self:
        try:
            self.settings_of(ENGINES[self.engine]).check(self.depth)
        except ValueError as error:
            raise ValueError(f"{self.engine}.{error}") from error
        return self

    def settings_of(self, engine: SearchEngine) -> EngineSettings:
        """Return the section of an engine's settings."""
        section: EngineSettings = getattr(self, engine.name, EngineSettings())
        return section

    def key_material_of(self, engine: SearchEngine) -> dict[str, Any]:
        """Return the settings that can change a run of an engine, without those of other engines, as JSON values."""
        shared = {name: value for name, value in self.key_material().items() if name not in ENGINES}
        section = self.settings_of(engine).search_material
        return {**shared, "engine": engine.name, **({engine.name: section} if section else {})}
