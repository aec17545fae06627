"""What runs in the worker, where nobody waits.

Read `transport`, then `worker`; `process` is the process around it.
"""
