"""What a command works with: the workspace around the current folder."""

from modelyard.workspace import Workspace as Context
from modelyard.workspace import open_workspace as open_context

__all__ = ["Context", "open_context"]
