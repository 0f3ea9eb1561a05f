"""Frozen values on the wire, names, ids, errors and the abstract activity classes.

Nothing here imports anything of ours outside this package, reads a clock, or does I/O.
"""
