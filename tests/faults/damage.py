"""Bits that flip and files that lose their end, in every kind of artifact: found, named, and made anew."""

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
    """Flip one bit of one file, artifact after artifact, manifests included, and verify the whole cache."""
    cache = _whole(stages, folder / "flips")
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
        tally.tried(list(_missed(cache, path, artifact)), f"{path}, bit {place}")
        path.write_bytes(content)
    tally.check(faults_of(cache) == [], "mended again, the cache is not whole")
    return tally.outcome(f"named by verify, and nothing else with it; {files} of them in manifests")


def run_truncations(stages: Sequence[Stage], folder: Path, draw: random.Random) -> Outcome:
    """Cut the end off each file of each artifact."""
    cache = _whole(stages, folder / "truncations")
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
                    faults.append(f"found on use, and not named: {error}")
            tally.tried(faults, str(path))
            path.write_bytes(content)
    return tally.outcome("named by verify and on use")


def run_remakes(stages: Sequence[Stage], folder: Path, draw: random.Random) -> Outcome:
    """Damage every artifact, let `optical cache verify --remove-damaged` have it, and make it anew."""
    tally = Tally("damaged, removed by choice, made anew", "artifacts")
    cache = _whole(stages, folder / "remakes")
    for stage in stages:
        artifact = _artifact(cache, stage)
        path = _file(artifact, draw)
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1
        path.write_bytes(content)
        removed = run(partial(command_line, "cache", "verify", "--remove-damaged", "--json", "--cache-dir", str(cache)))
        faults = []
        said = json.loads(removed.said.splitlines()[0]) if removed.code == 0 else {}
        if said.get("removed") != [artifact.folder.name]:
            faults.append(f"{artifact.folder.name} alone was to be removed, found {removed.code}: {removed.said}")
        again = run(partial(stage.obtain, cache))
        if again.code != 0 or again.result is not True or stage.made(cache) != stage.wanted:
            faults.append(f"not made anew with the same bytes: {again.said}")
        tally.tried(faults + faults_of(cache), str(path))
    return tally.outcome("with the same bytes")


def _whole(stages: Sequence[Stage], folder: Path) -> Path:
    """A cache with every artifact of some stages."""
    last = stages[-1]
    cache = copy_cache(last.upstream, folder)
    ended = run(partial(last.obtain, cache))
    if ended.code != 0:
        raise RuntimeError(ended.said)
    return cache


def _artifact(cache: Path, stage: Stage) -> Artifact:
    artifact = Cache(cache).find(*stage.address)
    assert artifact is not None
    return artifact


def _file(artifact: Artifact, draw: random.Random) -> Path:
    """One of its files that is not empty, or its manifest."""
    names = [name for name, recorded in artifact.manifest["files"].items() if recorded["size"]]
    return artifact.folder / draw.choice(["manifest.json", *names])


def _missed(cache: Path, path: Path, artifact: Artifact) -> list[str]:
    """What verify did not find, or found where nothing is."""
    found = {entry.folder: faults for entry in Cache(cache).all_entries() if (faults := entry.faults())}
    if list(found) != [artifact.folder]:
        return [f"{artifact.folder} expected, found {found}"]
    (faults,) = found.values()
    return [] if len(faults) == 1 and str(path) in faults[0] else [f"{path} expected, found {faults}"]
