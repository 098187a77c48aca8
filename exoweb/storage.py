"""How static files are named and kept."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Hashed and compressed; scripts import each other by their hashed names too, so that none is ever old."""

    support_js_module_import_aggregation = True
