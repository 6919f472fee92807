"""The teacher's encodings of bitexts: what every student learns from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.encoder.setup import Side
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.step import STAGES, Step, make_step


class Encodings:
    """The steps that encode a bitext with the teacher."""

    def __init__(self, context: Context) -> None:
        self._at = context
        self._sources = context.sources

    def of(self, language: str, sides: tuple[Side, ...]) -> Step:
        """The teacher's token embeddings of a bitext."""
        x = self._at.experiment
        teacher = self._sources.model(x.teacher.model)
        lengths = {
            side: min(length, x.training.max_length) for side, length in self._at.lengths.items() if side in sides
        }
        material = {
            "teacher": teacher.fingerprint,
            "bitext": self._sources.bitext_material(language),
            "lengths": lengths,
            "precision": self._at.encoding_precision,
        }

        def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
            from optical_cli.data.bitext import record_dropped
            from optical_cli.distill.teacher_tokens import encode_bitext

            dropped = record_dropped(self._sources.bitext(language), folder, self._at.progress.say)
            sentences = [pair.teacher for pair in self._sources.split(language).pairs]
            fit = self._tokenizer_fit(sentences, sides[0], lengths[sides[0]])
            tokens = encode_bitext(
                sentences,
                teacher.folder,
                sides,
                folder,
                known_from=self._like(material),
                setup=replace(
                    self._at.setup,
                    query_length=lengths.get("query", lengths[sides[0]]),
                    document_length=lengths.get("document", lengths[sides[0]]),
                ),
                progress=self._at.progress,
            )
            return {**tokens, "bitext": dropped, "tokenizer": fit}

        return make_step("encodings", f"{teacher.label}-{language}", material, build)

    def _like(self, material: Mapping[str, Any]) -> list[Path]:
        """Encodings of other bitexts with the same settings: their sentences need not be encoded again."""
        wanted = {**material, "stage": "encodings", "version": STAGES["encodings"].version, "bitext": None}
        lengths = material["lengths"].items()
        return [
            artifact.folder
            for artifact in self._at.cache.entries("encodings")
            if {**artifact.manifest["material"], "bitext": None, "lengths": None} == {**wanted, "lengths": None}
            and lengths <= artifact.manifest["material"]["lengths"].items()
            and not artifact.faults()
        ]

    def _tokenizer_fit(self, sentences: Sequence[str], side: Side, length: int) -> Health:
        """How the teacher's tokenizer suits its language."""
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        teacher = self._at.experiment.teacher
        fit = tokenizer_fit(self._sources.model(teacher.model).folder, sentences, side, length)
        return report_fit(fit, "teacher", teacher.language, self._at.progress.say)
