"""What there is to ask exoweb for: every address of the URL map, the parameters that views read, the forms on pages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote

from django.contrib.admin import site as admin_site
from django.http import QueryDict
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils.regex_helper import normalize


@dataclass(frozen=True)
class Address:
    """A pattern of the URL map, as text with places for its arguments: series/%(name)s/."""

    pattern: str
    arguments: tuple[str, ...]

    def path(self, values: dict[str, object]) -> str:
        """The path with these arguments; a string is quoted as a browser would."""
        quoted = {name: quote(str(values[name]), safe="", errors="surrogatepass") for name in self.arguments}
        return "/" + self.pattern % quoted

    @property
    def is_admin(self) -> bool:
        return self.pattern.startswith("admin/")

    @property
    def is_api(self) -> bool:
        return self.pattern.startswith("api/")


def addresses() -> list[Address]:
    """Every address of the URL map, the admin's included."""
    return [Address(text, tuple(arguments)) for text, arguments in _walk(get_resolver(), [("", [])])]


def _walk(resolver: URLResolver, prefixes: list[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    for entry in resolver.url_patterns:
        pattern = entry.pattern.regex.pattern.removeprefix("^")
        paths = [(before + text, [*names, *more]) for before, names in prefixes for text, more in normalize(pattern)]
        if isinstance(entry, URLPattern):
            yield from paths
        else:
            yield from _walk(entry, paths)


class RecordingQuery(QueryDict):
    """A QueryDict that notes in `asked` each name that was asked for, there or not."""

    asked: set[str] = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)

    def _getlist(self, name, default=None, force_list=False):  # what get, getlist and forms come down to
        self.asked.add(name)
        return super()._getlist(name, default, force_list)

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def pop(self, name, *default):
        self.asked.add(name)
        return super().pop(name, *default)


@dataclass
class Form:
    """A form of a page with what it would send, as it came."""

    method: str = "get"
    action: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)


class Forms(HTMLParser):
    """The forms of a page: `Forms.of(html)`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.inside = False
        self.textarea: str | None = None
        self.select: str | None = None

    @classmethod
    def of(cls, html: str) -> list[Form]:
        parser = cls()
        parser.feed(html)
        return parser.found

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name = given.get("name")
        if tag == "form":
            self.found.append(Form(given.get("method", "get").lower(), given.get("action") or ""))
            self.inside = True
        elif not self.inside:
            return
        elif tag in ("input", "button") and name:
            ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
            self._put(name, [given.get("value") or ""] if ticked else [])
        elif tag == "textarea" and name:
            self.textarea = name
            self._put(name, [])
        elif tag == "select" and name:
            self.select = name
            self._put(name, [])
        elif tag == "option" and self.select and "selected" in given:
            self._put(self.select, [given.get("value") or ""])

    def handle_data(self, data):
        if self.textarea:
            self._put(self.textarea, [data.removeprefix("\n")])

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        elif tag == "textarea":
            self.textarea = None
        elif tag == "select":
            self.select = None

    def _put(self, name: str, values: list[str]) -> None:
        self.found[-1].fields.setdefault(name, []).extend(values)


def admin_parameters(path: str) -> list[str]:
    """What a list of the admin takes from its address: its filters, fields of its model, and the admin's own names."""
    own = ["q", "p", "o", "all", "e", "_facets", "_popup", "_to_field", "_source_model", "_changelist_filters"]
    for model, model_admin in admin_site._registry.items():
        options = model._meta
        if path == f"/admin/{options.app_label}/{options.model_name}/":
            for shown in model_admin.list_filter:
                name = shown if isinstance(shown, str) else getattr(shown, "parameter_name", "")
                own += [f"{name}__exact", f"{name}__id__exact", f"{name}__isnull", f"{name}__gte", f"{name}__in"]
            if hierarchy := model_admin.date_hierarchy:
                own += [f"{hierarchy}__{part}" for part in ("year", "month", "day", "gte")]
            for field in options.fields:
                own += [field.name, f"{field.name}__gt", f"{field.name}__in", f"{field.name}__regex"]
    return own


def api_parameters(path: str) -> list[str]:
    """What an address of the API takes: it reads its parameters by their types, all at once."""
    operation = getattr(resolve(path).func, "operations", {}).get("GET")
    return [field.alias or name for name, field in operation.query.model_fields.items()] if operation else []
