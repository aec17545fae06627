"""A local copy of Arcade's cloud: a login page, the auth API and the engine's health.

python -m arcade_cloud starts it, with a collector beside it, and says how to use both.
"""

from arcade_cloud.cloud import ArcadeCloud

__all__ = ["ArcadeCloud"]
