"""The table of search engines, with their settings and their needs of disk and memory.

To add an engine, add a row to `ENGINES`, a settings class here if it has settings, and a module to `retrieve/` with the
class that searches. An engine that needs a structure besides the index also needs a function that builds it.
"""

import math
from dataclasses import dataclass
from typing import Any

from optical_cli.config.settings import Count, CountFromZero, Seed, Settings
from optical_cli.errors import ConfigError

STRUCTURE = "quantized"
"""The artifact kind of an engine's structure, which is also its name among the inputs of a run. Part of keys."""
NEEDS_FAISS = (
    "retrieval.engine: `approximate` needs faiss, which is not installed; run pip install 'optical-cli[approximate]', "
    "or use `exact`"
)
RESCORED_PER_RESULT = 5  # default number of documents scored exactly for each one kept
BYTE_VALUES = 256
TOKENS_PER_LIST = 40  # sampled to fit the centre of a list; faiss asks for at least 39
MAX_DEFAULT_LISTS = 1 << 15  # building compares every token with every centre, 1e8 comparisons a second on one core


class EngineSettings(Settings):
    """Settings of a search engine; the base class serves an engine without settings and without a structure."""

    @property
    def structure_material(self) -> dict[str, Any]:
        """Settings that can change the structure, as JSON values for its key."""
        return {}

    @property
    def search_material(self) -> dict[str, Any]:
        """Settings that can change a run over a given structure, as JSON values for the run's key."""
        return {}

    def check(self, depth: int) -> None:
        """Raise ValueError, naming the setting, if the engine cannot return `depth` documents per topic."""

    def check_index(self, tokens: int, dimensions: int) -> None:
        """Raise ConfigError if no structure can be built from an index of so many tokens, or of at most so many."""

    def structure_bytes(self, tokens: int, dimensions: int) -> int:  # noqa: ARG002
        """Return the size of the structure in bytes, on disk and in the memory of a search."""
        return 0

    def memory_to_build(self, tokens: int, dimensions: int) -> int:  # noqa: ARG002
        """Return the bytes of memory that building the structure takes, apart from the program itself."""
        return 0

    def work_to_build(self, tokens: int) -> int:
        """Return the work of building the structure, in the unit `Structure.unit`."""
        return tokens


class Approximate(EngineSettings):
    """The engine `approximate`: an inverted file of quantised tokens proposes documents, which are then rescored.

    Attributes:
        lists: Number of inverted lists that the tokens of the documents are clustered into, at most as many as there
            are tokens; null for about twice the square root of the number of tokens, up to 32,768.
        code_bytes: Bytes per document token in the quantised index; a divisor of the embedding dimension.
        probes: Lists searched for each token of a topic. More find more of the best documents and take longer.
        rescored: Candidate documents per topic that are rescored exactly, at least `retrieval.depth`; null for five
            times the depth.
        checked: Topics that are also searched exactly, to report how many of their best documents the approximate
            search found; 0 skips the check.
        seed: Seed that draws the tokens to fit the quantisation to, and the topics to check.
    """

    lists: Count | None = None
    code_bytes: Count = 32
    probes: Count = 8
    rescored: Count | None = None
    checked: CountFromZero = 20
    seed: Seed = 13

    @property
    def structure_material(self) -> dict[str, Any]:
        """`lists`, `code_bytes` and `seed`."""
        return self.model_dump(include={"lists", "code_bytes", "seed"})

    @property
    def search_material(self) -> dict[str, Any]:
        """All settings but `lists` and `code_bytes`, which are in the key of the structure."""
        return self.model_dump(exclude={"lists", "code_bytes"})

    def check(self, depth: int) -> None:
        """Raise ValueError if fewer documents are rescored than `depth` asks to keep."""
        if self.rescored is not None and self.rescored < depth:
            raise ValueError(
                f"rescored: expected at least retrieval.depth ({depth}), found {self.rescored}; only rescored "
                "documents can be kept"
            )

    def check_index(self, tokens: int, dimensions: int) -> None:
        """Refuse more lists than tokens, and codes that do not divide the dimensions evenly."""
        if self.lists is not None and self.lists > tokens:
            raise ConfigError(
                f"retrieval.approximate.lists: at most {tokens}, the number of tokens of the index, expected, "
                f"found {self.lists}"
            )
        if dimensions % self.code_bytes:
            known = ", ".join(str(n) for n in range(1, dimensions + 1) if dimensions % n == 0)
            raise ConfigError(
                f"retrieval.approximate.code_bytes: a divisor of the {dimensions} dimensions of a token expected, "
                f"found {self.code_bytes}; choose one of {known}"
            )

    def rescored_for(self, depth: int) -> int:
        """Return the number of documents per topic that are scored exactly."""
        return self.rescored or RESCORED_PER_RESULT * depth

    def lists_for(self, tokens: int) -> int:
        """Return the number of inverted lists of an index with so many tokens."""
        return self.lists or min(int(2 ** round(math.log2(2 * math.sqrt(tokens)))), tokens, MAX_DEFAULT_LISTS)

    def sample_of(self, tokens: int) -> int:
        """Return the number of tokens that the centres of the lists are fitted to."""
        return min(tokens, TOKENS_PER_LIST * self.lists_for(tokens))

    def structure_bytes(self, tokens: int, dimensions: int) -> int:
        """Return the bytes of codes, document numbers, centres and codebooks."""
        lists = self.lists_for(tokens)
        return tokens * (self.code_bytes + 4) + lists * (4 * dimensions + 8) + BYTE_VALUES * 4 * dimensions

    def memory_to_build(self, tokens: int, dimensions: int) -> int:
        """Return the bytes of each token's list number and of two copies of the sample: shuffling copies it."""
        return 4 * tokens + 2 * 4 * self.sample_of(tokens) * dimensions

    def work_to_build(self, tokens: int) -> int:
        """Return the number of comparisons of a token with a centre."""
        return tokens * self.lists_for(tokens)


@dataclass(frozen=True)
class Structure:
    """A structure that an engine builds from an index, once: an artifact of the kind `STRUCTURE`.

    `build` is the `module:function` that fills a folder, called as
    `function(index, folder, how=EngineSettings, progress=Progress)`; it returns the health for the manifest.
    """

    build: str
    stage: str
    version: int  # raised when the code builds another structure from equal settings
    factors: tuple[str, ...]  # counts in the manifest; their product is the work of building the structure
    remedy: str  # what to change if building it does not fit in memory

    @property
    def unit(self) -> str:
        """Unit of work, such as `tokens by lists`."""
        return " by ".join(self.factors)


@dataclass(frozen=True)
class SearchEngine:
    """A search engine: how the best documents of a topic are found."""

    name: str  # value of `retrieval.engine`, part of keys, and the name of its section of settings if it has one
    sentence: str  # a description, such as "MaxSim over every document"
    search: str  # `module:class` of a `retrieve.engine.Engine`
    exhaustive: bool  # scores every topic against every document: the work is topics times tokens
    remedy: str = "lower retrieval.memory"  # what to change if a search does not fit in memory
    label: str = ""  # in the labels of runs; "" for the default engine
    note: str = ""  # in tables, if runs may lack some of the best documents; "" for exact runs
    package: str | None = None  # optional dependency
    needs_package: str = ""  # error message if the package is not installed
    structure: Structure | None = None  # built from the index before the search


EXACT = SearchEngine("exact", "MaxSim over every document", "optical_cli.retrieve.engine:ExactEngine", exhaustive=True)
APPROXIMATE = SearchEngine(
    name="approximate",
    sentence="MaxSim over candidates from a quantised index",
    search="optical_cli.retrieve.approximate:ApproximateEngine",
    exhaustive=False,
    remedy="lower retrieval.memory or retrieval.approximate.code_bytes, or set retrieval.engine to exact",
    label="approximate",
    note="searched approximately",
    package="faiss",
    needs_package=NEEDS_FAISS,
    structure=Structure(
        build="optical_cli.retrieve.quantize:quantize",
        stage="quantize",
        version=1,
        factors=("tokens", "lists"),
        remedy="lower retrieval.approximate.lists, or set retrieval.engine to exact",
    ),
)
ENGINES = {engine.name: engine for engine in (EXACT, APPROXIMATE)}
CANDIDATES = SearchEngine(
    name=EXACT.name,  # part of keys; `corpus: candidates` uses this engine, whatever retrieval.engine says
    sentence="MaxSim over the candidates of each topic",
    search="optical_cli.retrieve.engine:CandidateEngine",
    exhaustive=False,
)
STRUCTURES = {engine.structure.stage: engine.structure for engine in ENGINES.values() if engine.structure}  # by stage
