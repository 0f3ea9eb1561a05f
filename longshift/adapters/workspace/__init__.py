"""Workspaces: a session's files on a host, their sources, checkpoints, checks and delivery.

Nothing of a workspace is run here: commands go through the process runner in the sandbox, and git sees the
files only in the hardened form of `git_environment.py`.
"""

from longshift.adapters.workspace.checkpoint_archive import CheckpointArchive
from longshift.adapters.workspace.checks import Checks
from longshift.adapters.workspace.delivery import DeliveryCounts
from longshift.adapters.workspace.folder import WorkspaceFolder
from longshift.adapters.workspace.workspaces import Workspaces

__all__ = ["CheckpointArchive", "Checks", "DeliveryCounts", "WorkspaceFolder", "Workspaces"]
