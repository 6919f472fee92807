"""Artifacts found in the cache, or made there with all that they stand on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from optical_cli.cache.artifact import Artifact, Health
from optical_cli.cache.store import Cache
from optical_cli.errors import CacheError, OpticalError
from optical_cli.pipeline.step import Step
from optical_cli.processes import Processes


class Maker:
    """Finds the artifacts of steps in a cache, and makes those that are missing.

    Args:
        processes: ask for the same artifacts together; they train together, and the first makes all else.
        upstream: make what is missing upstream of a step that is asked for; else refuse.
        check: reads all input; called before anything is made.

    Attributes:
        made: number of artifacts made so far.
        failed: why steps could not be made, by the digests of their keys.
    """

    def __init__(self, cache: Cache, processes: Processes, upstream: bool, check: Callable[[], None]) -> None:
        self._cache = cache
        self._processes = processes
        self._upstream = upstream
        self._check = check
        self.failed: dict[str, Exception] = {}
        self._whole: set[str] = set()
        self.made = 0

    def obtain(self, step: Step) -> tuple[Artifact, bool]:
        """Return the artifact of a step, and whether it was made; everything upstream that was missing is made too.

        Raises:
            OpticalError: what the stage raises; a step that failed once fails again at once.
        """
        found = self._cache.find(*step.address)
        if self._processes.agree(found is not None):
            if self._processes.first:
                self._cache.tidy(step.kind, step.key)
            return found or self._found(step), False
        if step.key.digest in self.failed:
            raise self.failed[step.key.digest]
        try:
            self._check()
            folders = {name: self._upstream_folder(step, wanted) for name, wanted in step.inputs.items()}
            made = self._make(step, folders)
        except (OpticalError, RuntimeError, MemoryError, OSError) as error:
            self.failed[step.key.digest] = error  # so that the next cell that needs it does not wait for it again
            raise
        self.made += made
        return self._found(step), made

    def _make(self, step: Step, inputs: Mapping[str, Path]) -> bool:
        """Make an artifact; False if another process made it meanwhile. Processes beside the first only help."""
        processes = self._processes

        def build(folder: Path) -> Health:
            processes.agree(True)
            return step.build(folder, inputs)

        if processes.first:
            _, made = self._cache.make(step.kind, step.label, step.key, build)
            if not made:
                processes.agree(False)
        else:
            made = processes.agree(False)
            if made and step.together:
                with TemporaryDirectory() as nowhere:
                    step.build(Path(nowhere), inputs)
        processes.wait()
        return made

    def _found(self, step: Step) -> Artifact:
        found = self._cache.find(*step.address)
        if found is None:
            raise CacheError(
                f"{step.label}: made, and not found in {self._cache.root}; all processes need to see one cache folder"
            )
        return found

    def _upstream_folder(self, step: Step, wanted: Step) -> Path:
        if not self._upstream and self._cache.find(*wanted.address) is None:
            raise CacheError(
                f"{step.label}: needs {wanted.kind}/{wanted.label}, which is not in the cache; "
                "make it first, or leave out --no-upstream"
            )
        artifact, made = self.obtain(wanted)
        if wanted.key.digest not in self._whole and self._processes.first:
            if not made:
                artifact.checked(digests=True)  # damage would go on into all that is made from it
            self._whole.add(wanted.key.digest)
        return artifact.folder
