"""A run over HTTP: classify an image, label a small raster, look at maps side by side.

`serve` in `landcover.service.server` runs it; `create_app` in `landcover.service.app` is the
application alone, for another ASGI server. Everything that a request may name (a layer, a model,
a file of the page) is looked up in a table made at the start: no path from a request reaches the
file system.
"""
