"""Commands as a reader of a page types them."""

from __future__ import annotations

import re

#: Scripts that are doors to commands.
DOORS = {
    "scene_prep.py": "prep",
    "segment.py": "segment",
    "sample_raster.py": "sample",
    "patches.py": "train cnn",
    "test_patches.py": "map",
    "-m baselines.random_forest": "train random-forest",
    "-m baselines.knn": "train knn",
    "-m baselines.mlp": "train mlp",
    "-m baselines.compare_reports": "compare",
}


def commands(text: str) -> list[str]:
    """Commands in the indented lines of a page, as `landcover` takes them.

    An option in brackets, which may be left out, is given.
    """
    lines = re.sub(r"\[(--[^\]]*)\]", r"\1", re.sub(r"\\\n\s*", "", text)).splitlines()
    typed = [
        part.split("  #")[0] for line in lines if line[:4].isspace() for part in line.split("&&")
    ]
    found = []
    for line in (line.strip() for line in typed):
        for door, command in DOORS.items():
            line = re.sub(rf"^python {re.escape(door)}(?!\w)", f"landcover {command}", line)
        if re.match(r"landcover [a-z]", line):
            found.append(line.removeprefix("landcover "))
    return found
