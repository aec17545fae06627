"""How the documentation is built: `python3 noxfile.py -s docs`."""

from importlib import metadata

project = "usage"
author = "the usage authors"
copyright = "2026, the usage authors"  # noqa: A001  # the name that Sphinx reads
release = metadata.version("usage-core")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"usage {release}"
myst_enable_extensions = ["fieldlist"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
exclude_patterns = ["_build"]
