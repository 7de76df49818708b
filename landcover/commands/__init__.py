"""What each command takes and does; the stages themselves are in `stages`."""

from __future__ import annotations

from landcover.commands import (
    assess,
    change,
    classify,
    completion,
    demo,
    doctor,
    ensemble,
    features,
    fetch,
    inspect,
    maps,
    postprocess,
    prep,
    qgis,
    scene,
    serve,
    train,
)
from landcover.commands.options import Command

COMMANDS: dict[str, Command] = (
    demo.COMMANDS
    | fetch.COMMANDS
    | inspect.COMMANDS
    | features.COMMANDS
    | prep.COMMANDS
    | scene.COMMANDS
    | train.COMMANDS
    | maps.COMMANDS
    | postprocess.COMMANDS
    | ensemble.COMMANDS
    | assess.COMMANDS
    | qgis.COMMANDS
    | classify.COMMANDS
    | change.COMMANDS
    | serve.COMMANDS
    | doctor.COMMANDS
    | completion.COMMANDS
)
#: First words of commands of two, and what they say and ask for.
GROUPS = {
    "train": ("Train a classifier.", "MODEL"),
    "bench": ("Measure the whole job on this machine.", "SCENE"),
}
