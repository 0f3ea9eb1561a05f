"""The agent's tools. `toolbox` is the way in; each tool is one file with its description for the model beside it.

The loop, the format check of calls and the storing of results are elsewhere.
"""

from longshift.adapters.tools.outcome import ToolContext, ToolOutcome
from longshift.adapters.tools.ripgrep import find_ripgrep
from longshift.adapters.tools.toolbox import Toolbox

__all__ = ["ToolContext", "ToolOutcome", "Toolbox", "find_ripgrep"]
