"""Land cover at 10 m from Sentinel-2 bands and coarse labels.

>>> import landcover as lc
>>> run = lc.prepare("runs/jena", bands="S2A_*.SAFE", labels="corine.tif")  # doctest: +SKIP
>>> lc.sample(run)  # doctest: +SKIP
>>> model = lc.train(run, "random-forest")  # doctest: +SKIP
>>> lc.map_scene(run, model)  # doctest: +SKIP

The names are listed in __init__.pyi and imported when they are first used. docs/api.md shows
what each does; docs/architecture.md draws the rooms that they come from.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
