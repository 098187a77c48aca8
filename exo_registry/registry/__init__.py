"""The registry: which series there are, whether definitions fit together, and registry files."""

from .checks import Draft, Problem, definition_problems, draft_of
from .file import FileProblem, RegistryErrors, Report, export_registry, import_registry
from .series import SyncReport, sync_series

__all__ = [
    "Draft",
    "FileProblem",
    "Problem",
    "RegistryErrors",
    "Report",
    "SyncReport",
    "definition_problems",
    "draft_of",
    "export_registry",
    "import_registry",
    "sync_series",
]
