"""What runs inside the user's command: the standard library only, and little of that.

Read `consent`, then `spool` and `lease`, then `detach`.
"""
