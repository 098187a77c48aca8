"""The registry: which series there are, whether definitions fit together, and registry files."""

from .registry_file import FileProblem, RegistryErrors, Report, export_registry, import_registry
from .removal import activation_problems, definition_removal_problems, product_removal_problems
from .series_rows import SyncReport, broken_definitions, sync_series
from .validation import Draft, Problem, definition_problems, draft_of

__all__ = [
    "Draft",
    "FileProblem",
    "Problem",
    "RegistryErrors",
    "Report",
    "SyncReport",
    "activation_problems",
    "broken_definitions",
    "definition_problems",
    "definition_removal_problems",
    "draft_of",
    "export_registry",
    "import_registry",
    "product_removal_problems",
    "sync_series",
]
