"""The registry: which series there are, whether definitions fit together, and registry files."""

from .checks import Draft, Problem, definition_problems, draft_of
from .file import FileProblem, RegistryErrors, Report, export_registry, import_registry
from .removal import activation_problems, definition_removal_problems, product_removal_problems
from .series import SyncReport, sync_series

__all__ = [
    "Draft",
    "FileProblem",
    "Problem",
    "RegistryErrors",
    "Report",
    "SyncReport",
    "activation_problems",
    "definition_problems",
    "definition_removal_problems",
    "draft_of",
    "export_registry",
    "import_registry",
    "product_removal_problems",
    "sync_series",
]
