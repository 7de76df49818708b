"""Studies behind the documentation, one a file."""
