"""Keeps progress and paths of this machine out of what programs of the gallery print."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> None:
    """Let work take as long as it likes without a word; called by MkDocs."""
    from landcover import progress

    progress.PATIENCE_S = 1e6
    # Keras turns TensorFlow's variables into arrays by a protocol that NumPy 2 has changed
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
