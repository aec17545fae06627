"""The hostile world: every fault is produced for real, and what came of it is published.

Read `table` (how a test becomes a row of docs/reliability.md) and `machine` (where faults are
made), then any of the tests.
"""
