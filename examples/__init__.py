"""Programs to start from, and the benchmarks."""
