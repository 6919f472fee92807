"""The lists of what optical stands on agree: pins, hashes, licences."""

import re
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
HASHES = ROOT / "hashes" / "cp311-linux-x86_64-cpu.txt"
NOT_FOR_DEVELOPING = {"geomloss", "atheris"}
"""Of other extras, so not in the environment that the lists are of."""


def pins(lines):
    """Versions by name."""
    found = dict(line.split(" ")[0].split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in found.items()}


def pinned():
    return pins((ROOT / "constraints.txt").read_text().splitlines())


def hashed():
    return pins(HASHES.read_text().splitlines())


def licensed():
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "licenses.md").read_text().splitlines()[2:]]
    return {canonicalize_name(name): (version, licence) for name, version, licence, _ in rows}


def test_every_pin_has_a_hash_of_its_version():
    for name, version in pinned().items():
        if name not in NOT_FOR_DEVELOPING:
            assert hashed()[name].partition("+")[0] == version, name


def test_every_line_has_a_whole_hash():
    for line in HASHES.read_text().splitlines()[1:]:
        assert re.fullmatch(r"[\w.-]+==[\w.+]+ --hash=sha256:[0-9a-f]{64}", line), line


def test_every_pin_has_a_licence_and_none_is_of_the_gpl_family():
    licences = licensed()
    for name, version in pinned().items():
        if name not in NOT_FOR_DEVELOPING:
            assert licences[name][0].partition("+")[0] == version, name
    assert not [name for name, (_, licence) in licences.items() if re.search(r"GPL|not stated", licence)]
