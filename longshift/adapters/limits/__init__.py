"""What one session may use of the host, so that its bombs stay its own.

`limited` puts limits onto commands whatever the sandbox; `control_groups` has the kernel keep a whole session to them
where that is possible; `watchdog` ends the commands of a session where it is not, and where it fills the disk.
"""
