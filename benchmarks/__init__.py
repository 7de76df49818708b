"""Side-by-side measurements of speed and memory; docs/performance.md holds their results."""
