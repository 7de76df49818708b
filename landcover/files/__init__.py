"""Files in and out: rasters, vectors, styles, jobs, atomic writes. Formats, not their meaning."""
