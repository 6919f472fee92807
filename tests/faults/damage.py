"""Flipped bits and truncated files in artifacts of all kinds: `verify` finds and names them, and they can be remade."""

import json
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.errors import CacheError
from tests.faults.children import run
from tests.faults.disks import command_line
from tests.faults.outcome import Outcome, Tally
from tests.faults.stages import Stage, copy_cache, faults_of


def run_flips(stages: Sequence[Stage], flips: int, folder: Path, draw: random.Random) -> Outcome:
    """Flip one bit of a file, also of manifests, verify the whole cache, and restore the file."""
    cache = _full_cache(stages, folder / "flips")
    tally = Tally("a bit flipped anywhere", "bits")
    files = 0
    for number in range(flips):
        artifact = _artifact(cache, stages[number % len(stages)])
        path = _file(artifact, draw)
        content = path.read_bytes()
        place = draw.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        files += path.name == "manifest.json"
        tally.add(list(_missed(cache, path, artifact)), f"{path}, bit {place}")
        path.write_bytes(content)
    tally.check(faults_of(cache) == [], "the cache has faults after all files were restored")
    return tally.outcome(f"named by verify, without false alarms; {files} in manifests")


def run_truncations(stages: Sequence[Stage], folder: Path, draw: random.Random) -> Outcome:
    """Truncate each file of each artifact, verify the cache, use the artifact, and restore the file."""
    cache = _full_cache(stages, folder / "truncations")
    tally = Tally("a file truncated", "files")
    for stage in stages:
        artifact = _artifact(cache, stage)
        for path in (
            artifact.folder / "manifest.json",
            *(artifact.folder / name for name in artifact.manifest["files"]),
        ):
            content = path.read_bytes()
            if not content:
                continue
            path.write_bytes(content[: draw.randrange(len(content))])
            faults = list(_missed(cache, path, artifact))
            try:
                Cache(cache).find(*stage.address)
                faults.append("not found on use")
            except CacheError as error:
                if str(path) not in str(error):
                    faults.append(f"found on use, but not named: {error}")
            tally.add(faults, str(path))
            path.write_bytes(content)
    return tally.outcome("named by verify and on use")


def run_remakes(stages: Sequence[Stage], folder: Path, draw: random.Random) -> Outcome:
    """Damage each artifact, remove it with `optical cache verify --remove-damaged`, and make it again."""
    tally = Tally("damaged, removed, made again", "artifacts")
    cache = _full_cache(stages, folder / "remakes")
    for stage in stages:
        artifact = _artifact(cache, stage)
        path = _file(artifact, draw)
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1
        path.write_bytes(content)
        removed = run(partial(command_line, "cache", "verify", "--remove-damaged", "--json", "--cache-dir", str(cache)))
        faults = []
        record = json.loads(removed.output.splitlines()[0]) if removed.code == 0 else {}
        if record.get("removed") != [artifact.folder.name]:
            faults.append(f"removal of {artifact.folder.name} expected, found {removed.code}: {removed.output}")
        again = run(partial(stage.obtain, cache))
        if again.code != 0 or again.result is not True or stage.made(cache) != stage.wanted:
            faults.append(f"not made again with the same bytes: {again.output}")
        tally.add(faults + faults_of(cache), str(path))
    return tally.outcome("with the same bytes")


def _full_cache(stages: Sequence[Stage], folder: Path) -> Path:
    """Make a cache with the artifacts of all stages."""
    last = stages[-1]
    cache = copy_cache(last.upstream, folder)
    ended = run(partial(last.obtain, cache))
    if ended.code != 0:
        raise RuntimeError(ended.output)
    return cache


def _artifact(cache: Path, stage: Stage) -> Artifact:
    artifact = Cache(cache).find(*stage.address)
    assert artifact is not None
    return artifact


def _file(artifact: Artifact, draw: random.Random) -> Path:
    """Draw a file of an artifact that is not empty, or its manifest."""
    names = [name for name, recorded in artifact.manifest["files"].items() if recorded["size"]]
    return artifact.folder / draw.choice(["manifest.json", *names])


def _missed(cache: Path, path: Path, artifact: Artifact) -> list[str]:
    """List damage that verify missed, and false alarms."""
    found = {entry.folder: faults for entry in Cache(cache).all_entries() if (faults := entry.faults())}
    if list(found) != [artifact.folder]:
        return [f"{artifact.folder} expected, found {found}"]
    (faults,) = found.values()
    return [] if len(faults) == 1 and str(path) in faults[0] else [f"{path} expected, found {faults}"]
