"""Worktrees of a swarm: a repository and a tree of its own for each item, and the history in which they are merged.

How one is made on a host is in `making`, what is copied in `copying`, how work travels in `history`. When one is made,
and who works in it, is not decided here.
"""
