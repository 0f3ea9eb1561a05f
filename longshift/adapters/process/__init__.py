"""Commands with effects, run at most once under a detached supervisor.

`runner` is the way in. Sandboxing is `adapters.sandbox`; what a tool makes of an outcome is `adapters.tools`.
A supervisor leaves the worker's session and process group, not its cgroup: that takes the operator's unit or container.
"""
