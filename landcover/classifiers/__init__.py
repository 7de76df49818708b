"""Classifiers: the protocol, the kinds, models on disk, forests, networks, exchange."""
