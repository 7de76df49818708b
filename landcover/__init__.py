"""Land cover at 10 m from Sentinel-2 bands and coarse CORINE labels.

The library is a set of rooms in layers; docs/architecture.md draws them.
"""

__version__ = "0.1.0"
