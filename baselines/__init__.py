"""Classifiers to compare with, one experiment a file."""
