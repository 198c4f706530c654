"""The tests: `unit` without I/O, then `database`, `wire`, `stories`, `system`; `benchmarks` measure, no more."""
