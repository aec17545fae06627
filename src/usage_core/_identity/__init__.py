"""Who an event belongs to: values and pure functions, and one file that touches the disk.

Read `state`, then `lifecycle`, then `waterfall`.
"""
