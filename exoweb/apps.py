"""Static files, without what the pages never load."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    """Leaves the builds and extras of the npm packages that no page loads out of `collectstatic`."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "ext",
        "*.d.ts",
        "*.development.*",
        "htmx.js",
        "htmx.amd.js",
        "htmx.cjs.js",
        "htmx.esm.js",
        "htmx.min.js.gz",
        "lightweight-charts.production.mjs",
        "lightweight-charts.standalone.production.mjs",
        "*.map",
        "swagger-ui.js",
        "swagger-ui-es-*",
        "swagger-ui-standalone-*",
        "swagger-initializer.js",
        "absolute-path.js",
        "oauth2-redirect.*",
        "favicon-*",
        "index.*",
        "log.*",
        "package.json",
        "README.md",
    ]
