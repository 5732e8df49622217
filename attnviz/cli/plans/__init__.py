"""The figures of a paper in one file: `attnviz figures PLAN.toml`, and how a command prints itself as an entry of one.

`entries` knows the keys of an entry, `plan` reads the file, `state` says what has changed, `pool` and `worker` draw in
several processes, `sheet` shows all figures on one page.
"""
