"""The event log: what happened, narrowed down, page by page or as a file."""

import datetime as dt
from collections.abc import Iterator

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from exo_registry.formats import csv_text
from exo_registry.models import Event
from exo_registry.web.form_fields import DateField, KeyField, QueryField, labelled_errors

PAGE = 100
LONGEST_FILE = 200_000
LEVELS = [("", "all"), ("warning", "warnings and errors"), ("error", "errors")]
COLUMNS = ("time", "level", "kind", "message", "product", "series", "run", "user")


class Filter(forms.Form):
    """What of the log is wanted; an empty field leaves all of it. Dates are the server's, both included."""

    text = QueryField(required=False, label="Words")
    level = forms.ChoiceField(choices=LEVELS, required=False)
    kind = QueryField(required=False)
    product = QueryField(required=False)
    series = QueryField(required=False)
    run = KeyField(required=False)
    since = DateField(required=False, label="From")
    until = DateField(required=False)
    before = KeyField(required=False)

    def narrowed(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The events that are wanted; none of them for a filter that is not valid."""
        if not self.is_valid():
            return events.none()
        wanted = self.cleaned_data
        for name, lookup in (
            ("text", "message__icontains"),
            ("kind", "kind"),
            ("product", "product__exchangesymbol"),
            ("series", "series__name"),
            ("run", "run"),
        ):
            if wanted[name]:
                events = events.filter(**{lookup: wanted[name]})
        if wanted["level"]:
            levels = ["error"] if wanted["level"] == "error" else ["warning", "error"]
            events = events.filter(level__in=levels)
        if wanted["since"]:
            events = events.filter(time__gte=_midnight(wanted["since"]))
        if wanted["until"]:
            events = events.filter(time__lt=_midnight(wanted["until"] + dt.timedelta(days=1)))
        return events


def _midnight(date: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(date, dt.time()))


def _log() -> QuerySet[Event]:
    related = Event.objects.select_related("product", "series", "run", "user")
    return related.defer("series__state", "series__sparkline", "series__product_rules").order_by("-pk")


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    """The newest events that fit the filter; ?before= goes on to older ones."""
    form = Filter(request.GET)
    matching = form.narrowed(_log())
    before = form.cleaned_data.get("before")
    if before:
        matching = matching.filter(pk__lt=before)
    rows = list(matching[: PAGE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    older = query.copy()
    if len(rows) > PAGE:
        older["before"] = str(rows[PAGE - 1].pk)
    context = {
        "form": form,
        "errors": labelled_errors(form),
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
    matching = form.narrowed(_log())[:LONGEST_FILE]
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return StreamingHttpResponse(_lines(matching), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(matching: QuerySet[Event]) -> Iterator[str]:
    return csv_text.lines(COLUMNS, map(_row, matching.iterator(chunk_size=2000)))


def _row(event: Event) -> list[str]:
    time = event.time.astimezone(dt.UTC).isoformat(timespec="seconds")
    names = [str(value or "") for value in (event.product, event.series, event.run_id, event.user)]
    return [time, event.level, event.kind, event.message, *names]
