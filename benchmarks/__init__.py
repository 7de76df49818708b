"""Side-by-side measurements of speed and memory; benchmarks/page.py writes docs/performance.md."""
