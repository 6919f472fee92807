"""Print the licence of every installed package that optical requires, as the package states it.

make licenses > licenses.md
"""

import re
import sys
from importlib.metadata import Distribution

from packaging.utils import canonicalize_name

from optical_cli.reproduce.lock import OURS, installed_packages

EXTRAS = ("dev", "adapters", "translate")
ONE_LINE = 60  # characters; some put the whole text of their licence where its name belongs
UNKNOWN = "not stated"
STATED_ELSEWHERE = {
    "sentencepiece": "Apache-2.0",
    "docutils": "Public Domain and BSD-2-Clause",  # a third licence is that of an Emacs mode, which the wheel has not
}
"""By the licence file of the project, where the package's metadata says nothing or speaks of files that it lacks."""


def main() -> None:
    """Print a table, packages for running optical first; exit code 1 if a package states no licence."""
    running, all_packages = installed_packages(), installed_packages(EXTRAS)
    rows = [(package, "running") for name, package in running.items() if name != OURS]
    rows += [(package, "developing") for name, package in all_packages.items() if name not in running]
    print("| package | version | licence | for |\n|---|---|---|---|")
    for package, purpose in rows:
        print(f"| {package.metadata['Name']} | {package.version} | {_license(package)} | {purpose} |")
    if silent := [package.metadata["Name"] for package, _ in rows if _license(package) == UNKNOWN]:
        sys.exit(f"no licence stated by {', '.join(silent)}")


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
