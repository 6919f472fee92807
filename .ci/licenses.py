"""Prints the licence of every installed package that optical stands on, as the package itself states it.

make licenses > licenses.md
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "optical-cli"
EXTRAS = ("dev", "adapters", "translate")
ONE_LINE = 60  # characters; some put the whole text of their licence where its name belongs
UNKNOWN = "not stated"
STATED_ELSEWHERE = {
    "sentencepiece": "Apache-2.0",
    "docutils": "Public Domain and BSD-2-Clause",  # a third licence is that of an Emacs mode, which the wheel has not
}
"""By the licence file of the project, where the package's metadata says nothing or speaks of files that it lacks."""


def main() -> None:
    """A table, what runs first; exit code 1 if a package states no licence."""
    running, others = _needed(("",)), _needed(("", *EXTRAS))
    rows = [(one, "running") for one in running.values()]
    rows += [(one, "developing") for name, one in others.items() if name not in running]
    print("| package | version | licence | for |\n|---|---|---|---|")
    for one, purpose in rows:
        print(f"| {one.metadata['Name']} | {one.version} | {_license(one)} | {purpose} |")
    if silent := [one.metadata["Name"] for one, _ in rows if _license(one) == UNKNOWN]:
        sys.exit(f"no licence stated by {', '.join(silent)}")


def _needed(extras: tuple[str, ...]) -> dict[str, Distribution]:
    """What optical needs with some extras, and what that needs, by name."""
    found: dict[str, Distribution] = {}
    waiting = [(OURS, extras)]
    while waiting:
        name, wanted = waiting.pop()
        try:
            there = distribution(name)
        except PackageNotFoundError:  # of another system or Python
            continue
        found[canonicalize_name(name)] = there
        for needed in map(Requirement, there.requires or ()):
            holds = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in wanted)
            if holds and canonicalize_name(needed.name) not in found:
                waiting.append((needed.name, ("", *needed.extras)))
    del found[OURS]
    return dict(sorted(found.items()))


def _license(one: Distribution) -> str:
    """The SPDX expression; in older packages a classifier, or a line of free text."""
    if stated := STATED_ELSEWHERE.get(canonicalize_name(one.metadata["Name"])):
        return stated
    if expression := one.metadata.get("License-Expression"):
        return str(expression)
    classifiers = [line.rpartition(" :: ")[2] for line in one.metadata.get_all("Classifier") or ()
                   if line.startswith("License :: ") and line != "License :: OSI Approved"]  # fmt: skip
    if classifiers:
        return " or ".join(classifiers)
    lines = str(one.metadata.get("License") or "").strip().splitlines()
    text = re.sub(r"\s+", " ", lines[0]).strip() if lines else ""
    return text if 0 < len(text) <= ONE_LINE else UNKNOWN


if __name__ == "__main__":
    main()
