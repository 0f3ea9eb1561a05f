"""What sandboxed commands may reach: a proxy outside of the sandbox, one for each workspace and phase.

`proxy` is a process of its own, under a supervisor; it and all that it imports needs nothing but the stdlib. `egress`
is the host's side: it keeps the proxy running. How a command gets to the proxy is `adapters.sandbox`.
"""
