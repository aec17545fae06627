"""Arcade's command-line tool, as small as its story allows.

`app` is the commands, `tracking` all that it takes to track them. A login goes through `login`,
`callback` and `pages`; `credentials` keeps what it brings; `places` knows hosts, ports and files.
"""
