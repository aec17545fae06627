"""The hostile world: every fault is produced for real, and what came of it is published.

Read `table` (how a test becomes a row of docs/reliability.md), then `machine` (where faults are
made), then the tests: network, connections, processes, kills, hosts, disks, files, output, bounds.
"""
