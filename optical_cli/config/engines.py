"""The search engines: their settings, what each builds and needs, and the table of them.

A new engine is a row of `ENGINES`, with a class of its own if it has settings, and a module of `retrieve/` with the
class that searches and, if the engine needs more than the index, the function that builds it.
"""

import math
from dataclasses import dataclass
from typing import Any

from optical_cli.config.settings import Count, CountFromZero, Seed, Settings
from optical_cli.errors import ConfigError

STRUCTURE = "quantized"
"""Kind of artifact that holds an engine's structure, and its name among a run's inputs: in keys and folders."""
NEEDS_FAISS = (
    "retrieval.engine: approximate needs faiss, which is not installed: pip install 'optical-cli[approximate]', or "
    "search by exact"
)
SPARE = 5  # documents rescored for each one kept, by default
BYTE_VALUES = 256
SAMPLED_TOKENS = 40  # that each list is fitted to; faiss asks for at least 39
MOST_LISTS = 1 << 15
"""Default limit: every token is compared with every centre, 1e8 a second on one core."""


class EngineSettings(Settings):
    """The settings of one engine. As they stand here: of an engine without settings and without a structure."""

    @property
    def of_the_structure(self) -> dict[str, Any]:
        """Settings that can change the structure, as JSON values: key material."""
        return {}

    @property
    def of_the_search(self) -> dict[str, Any]:
        """Settings that can change a run on the same structure, as JSON values: key material."""
        return {}

    def check(self, depth: int) -> None:
        """Raise ValueError, with the setting's name in its section, if `depth` documents a topic cannot be given."""

    def check_index(self, tokens: int, dimensions: int) -> None:
        """Raise ConfigError if no structure can be built from an index of so many tokens, or of at most so many."""

    def structure_bytes(self, tokens: int, dimensions: int) -> int:  # noqa: ARG002
        """Bytes of the structure, on the disk and in the memory of a search."""
        return 0

    def memory_to_build(self, tokens: int, dimensions: int) -> int:  # noqa: ARG002
        """Bytes of memory that building the structure takes beyond the program's own."""
        return 0

    def work_to_build(self, tokens: int) -> int:
        """Building the structure, in the unit of `Structure.factors`."""
        return tokens


class Approximate(EngineSettings):
    """How the approximate search is cut short.

    Attributes:
        lists: of tokens with the same nearest centre; null for about twice the root of their number, at most 32,768.
        code_bytes: of a token in its list.
        probes: lists searched for each token of a topic.
        rescored: most promising documents of a topic, which are scored exactly; null for five times the depth.
        checked: topics that are searched exactly too, to measure how many of their best documents were found.
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
        """Lists, codes and seed."""
        return self.model_dump(include={"lists", "code_bytes", "seed"})

    @property
    def of_the_search(self) -> dict[str, Any]:
        """All but the shape of the structure, whose own key has it."""
        return self.model_dump(exclude={"lists", "code_bytes"})

    def check(self, depth: int) -> None:
        """Refuse to keep more documents than are rescored."""
        if self.rescored is not None and self.rescored < depth:
            expected = f"rescored: at least retrieval.depth ({depth}) expected"
            raise ValueError(f"{expected}, found {self.rescored}; no other documents are kept")

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
        """Documents of a topic that are scored exactly."""
        return self.rescored or SPARE * depth

    def lists_for(self, tokens: int) -> int:
        """Lists of an index; by default no more than it has tokens, nor `MOST_LISTS`."""
        return self.lists or min(int(2 ** round(math.log2(2 * math.sqrt(tokens)))), tokens, MOST_LISTS)

    def sample_of(self, tokens: int) -> int:
        """Tokens that centres are fitted to."""
        return min(tokens, SAMPLED_TOKENS * self.lists_for(tokens))

    def structure_bytes(self, tokens: int, dimensions: int) -> int:
        """Codes, documents, centres, codebooks."""
        lists = self.lists_for(tokens)
        return tokens * (self.code_bytes + 4) + lists * (4 * dimensions + 8) + BYTE_VALUES * 4 * dimensions

    def memory_to_build(self, tokens: int, dimensions: int) -> int:
        """The list of each token, and the sample twice, as it is copied when it is shuffled."""
        return 4 * tokens + 2 * 4 * self.sample_of(tokens) * dimensions

    def work_to_build(self, tokens: int) -> int:
        """Comparisons of a token with a centre."""
        return tokens * self.lists_for(tokens)


@dataclass(frozen=True)
class Structure:
    """What an engine builds from an index, once, as an artifact of the kind `STRUCTURE`.

    `build` is the `module:function` that fills a folder: (index folder, folder, how=EngineSettings, progress=Progress),
    returning what the manifest says of it.
    """

    build: str
    stage: str
    version: int  # raised when the code computes another structure from the same settings
    factors: tuple[str, ...]  # counts in the manifest whose product is the work that building it was
    remedy: str  # what to change if building it does not fit the memory

    @property
    def unit(self) -> str:
        """Unit of work, such as `tokens by lists`."""
        return " by ".join(self.factors)


@dataclass(frozen=True)
class SearchEngine:
    """A way to find the best documents of a topic."""

    name: str  # value of `retrieval.engine`, also in keys, and the section of its settings, if it has any
    sentence: str
    search: str  # `module:class` that searches, a `retrieve.engine.Engine`
    exhaustive: bool  # every topic is scored against every document, which takes topics times tokens
    remedy: str = "lower retrieval.memory"  # if a search does not fit the memory
    word: str = ""  # in the labels of runs; none for the default
    note: str = ""  # what tables say of runs that may lack some of the best documents; none for exact runs
    package: str | None = None  # to be installed beside optical
    missing: str = ""  # what to say where the package is not installed
    structure: Structure | None = None  # what it needs beside the index


EXACT = SearchEngine("exact", "MaxSim over every document", "optical_cli.retrieve.engine:ExactEngine", exhaustive=True)
APPROXIMATE = SearchEngine(
    name="approximate",
    sentence="MaxSim over the documents that a quantised index finds promising",
    search="optical_cli.retrieve.approximate:ApproximateEngine",
    exhaustive=False,
    remedy="lower retrieval.memory or retrieval.approximate.code_bytes, or search by exact",
    word="approximate",
    note="searched approximately",
    package="faiss",
    missing=NEEDS_FAISS,
    structure=Structure(
        build="optical_cli.retrieve.quantize:quantize",
        stage="quantize",
        version=1,
        factors=("tokens", "lists"),
        remedy="lower retrieval.approximate.lists, or search by exact",
    ),
)
ENGINES = {engine.name: engine for engine in (EXACT, APPROXIMATE)}
CANDIDATES = SearchEngine(
    name=EXACT.name,  # in keys; `corpus: candidates` chooses it, whatever retrieval.engine says
    sentence="MaxSim over each topic's own candidates",
    search="optical_cli.retrieve.engine:CandidateEngine",
    exhaustive=False,
)
STRUCTURES = {one.structure.stage: one.structure for one in ENGINES.values() if one.structure}  # by stage
