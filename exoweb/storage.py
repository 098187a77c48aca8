"""How static files are named and kept."""

from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Of a page that few open, and large: to compress it would take longer than everything else at a first start.
UNCOMPRESSED = "vendor/swagger-ui-dist/"


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Hashed and compressed; scripts import each other by their hashed names too, so that none is ever old."""

    support_js_module_import_aggregation = True
    # Source maps of packages are not collected, so that no reference to one is followed.
    patterns = tuple(
        (files, tuple(pattern for pattern in patterns if "sourceMappingURL" not in str(pattern)))
        for files, patterns in CompressedManifestStaticFilesStorage.patterns
    )

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        return super().compress_files([path for path in paths if not path.startswith(UNCOMPRESSED)])
