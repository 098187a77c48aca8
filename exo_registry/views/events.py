"""The event log: what happened, narrowed down, page by page or as a file."""

import csv
import datetime as dt
from collections.abc import Iterator

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from exo_registry.models import Event

PAGE = 100
LONGEST_FILE = 200_000
LEVELS = [("", "all"), ("warning", "warnings and errors"), ("error", "errors")]
ISO, NO_DATE = ["%Y-%m-%d"], "not a date: write it as YYYY-MM-DD."
COLUMNS = ("time", "level", "kind", "message", "product", "series", "run", "user")


class Filter(forms.Form):
    """What of the log is wanted; an empty field leaves all of it. Dates are the server's, both included."""

    text = forms.CharField(required=False)
    level = forms.ChoiceField(choices=LEVELS, required=False)
    kind = forms.CharField(required=False)
    product = forms.CharField(required=False)
    series = forms.CharField(required=False)
    run = forms.IntegerField(required=False, min_value=1, error_messages={"invalid": "Run: give its number."})
    since = forms.DateField(
        required=False, input_formats=["%Y-%m-%d"], error_messages={"invalid": f"From is {NO_DATE}"}
    )
    until = forms.DateField(
        required=False, input_formats=["%Y-%m-%d"], error_messages={"invalid": f"Until is {NO_DATE}"}
    )
    before = forms.IntegerField(required=False, min_value=1)

    def narrowed(self, found: QuerySet[Event]) -> QuerySet[Event]:
        """The events that are wanted; none of them for a filter that is not valid."""
        if not self.is_valid():
            return found.none()
        wanted = self.cleaned_data
        for name, lookup in (
            ("text", "message__icontains"),
            ("kind", "kind"),
            ("product", "product__exchangesymbol"),
            ("series", "series__name"),
            ("run", "run"),
        ):
            if wanted[name]:
                found = found.filter(**{lookup: wanted[name]})
        if wanted["level"]:
            levels = ["error"] if wanted["level"] == "error" else ["warning", "error"]
            found = found.filter(level__in=levels)
        if wanted["since"]:
            found = found.filter(time__gte=_midnight(wanted["since"]))
        if wanted["until"]:
            found = found.filter(time__lt=_midnight(wanted["until"] + dt.timedelta(days=1)))
        return found


def _midnight(date: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(date, dt.time()))


def _log() -> QuerySet[Event]:
    related = Event.objects.select_related("product", "series", "run", "user")
    return related.defer("series__state", "series__sparkline", "series__product_rules").order_by("-pk")


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    """The newest events that fit the filter; ?before= goes on to older ones."""
    form = Filter(request.GET)
    found = form.narrowed(_log())
    before = form.cleaned_data.get("before")
    if before:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    older = query.copy()
    if len(rows) > PAGE:
        older["before"] = str(rows[PAGE - 1].pk)
    context = {
        "form": form,
        "errors": [error for errors in form.errors.values() for error in errors],
        "events": rows[:PAGE],
        "kinds": Event.objects.order_by("kind").values_list("kind", flat=True).distinct(),
        "filtered": any(value for value in query.values()),
        "kept": query.urlencode(),
        "older": older.urlencode() if len(rows) > PAGE else "",
        "before": before,
    }
    return render(request, "parts/events.html" if request.htmx else "events.html", context)


@require_safe
def events_csv(request: HttpRequest) -> HttpResponse:
    """Every event that fits the filter, newest first, as CSV; times in UTC."""
    form = Filter(request.GET)
    found = form.narrowed(_log())[:LONGEST_FILE]
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8", headers=headers)


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _lines(found: QuerySet[Event]) -> Iterator[str]:
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for one in found.iterator(chunk_size=2000):
        time = one.time.astimezone(dt.UTC).isoformat(timespec="seconds")
        names = [str(value or "") for value in (one.product, one.series, one.run_id, one.user)]
        yield writer.writerow([time, one.level, one.kind, _as_text(one.message), *names])


def _as_text(message: str) -> str:
    """A message that a spreadsheet would run as a formula is kept as text."""
    return f"'{message}" if message[:1] in "=+-@\t" else message
