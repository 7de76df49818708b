"""The whole job on the embedded scene: what ``demo`` takes and does.

The scene is drawn from a seed, so that nothing has to be downloaded. Its files are written into the
run folder, and are read like a user's own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import Arguments, Command, add_run
from landcover.commands.processes import run_alone, words
from landcover.errors import InputError, LandcoverError, typed
from landcover.progress import say

if TYPE_CHECKING:
    from landcover.sources.synthetic.files import Sources


def _define(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.set_defaults(of_commands=True)


def _demo(a: Arguments) -> list[Path]:
    from landcover.sources.synthetic.files import write_demo

    run: Path = a.run
    _require_own_folder(run)
    started = time.perf_counter()
    commands = job(run, write_demo(run / "sources", seed=0))
    for number, command in enumerate(commands, 1):
        say(f"\n{number} of {len(commands)}: landcover {words(command)}")
        run_alone((*command, "--quiet") if a.quiet else command, quiet=a.quiet)
    say(f"\n{len(commands)} commands in {time.perf_counter() - started:.0f} s")
    if _can_serve():
        say(f"the maps side by side: landcover serve {typed(run)}")
    return [run / "comparison.html"]


def _require_own_folder(run: Path) -> None:
    """Raise InputError for what holds something else, before anything is written."""
    from landcover.files import rasters
    from landcover.sources.synthetic.scene import DEMO_PX, ORIGIN, grid_of

    scene = run / "scene.tif"
    if run.exists() and not run.is_dir():
        what = "is a file"
    elif scene.exists() and rasters.grid_of(scene) != grid_of(*DEMO_PX, 0, ORIGIN):
        what = "holds another scene"
    else:
        return
    raise InputError(
        f"{run} {what}, and the demo makes a run of its own; give a folder that does not exist "
        "yet, such as: landcover demo runs/synthetic"
    )


def job(run: Path, sources: Sources) -> list[tuple[str, ...]]:
    """The commands from the files of the scene to the comparison of the maps.

    Parameters
    ----------
    run : path
        Run folder.
    sources : Sources
        Files of the scene.

    Returns
    -------
    list of tuple of str
        Arguments of ``landcover``.
    """
    path = str(run)
    files = ("--bands", *map(str, sources.bands), "--labels", str(sources.corine))
    return [
        ("prep", *files, "--reference", str(sources.truth), "--segment", "--out", path),
        ("train", "random-forest", path),
        ("train", "mlp", path, "--no-segments"),
        ("train", "mlp", path),
        ("train", "cnn", path),
        ("map", path),
        ("compare", path),
        ("qgis", path),
    ]


def _can_serve() -> bool:
    """Whether what the service needs is there, its page included."""
    from landcover.commands.serve import require_service
    from landcover.service import assets

    try:
        require_service()
    except LandcoverError:
        return False
    return not assets.missing()


COMMANDS: dict[str, Command] = {
    "demo": (
        "Do the whole job on a synthetic scene: prepare, train four models, map, compare.",
        _define,
        _demo,
    ),
}
