"""Removes records that are not needed any more, so that tables and folders stop growing. A schedule calls it every day.

| what | kept |
| --- | --- |
| events: information | 90 days; of imports, which feeds make by the thousand, 30 |
| events: warnings and errors | 1 year |
| online runs and their steps, done | 90 days |
| online runs and their steps, failed or cancelled | 1 year |
| revisions that no series was computed from since, and that are not a product's newest | 30 days |
| modules of code that no series was computed with any more | 30 days |
| task rows of django-q | 30 days, failures 90; the newest 100 of a function at most |
| expired log-ins | until they expire |
| counts of wrong passwords | 1 day |
| files of market data that no current table uses, and their log | 7 days, the log 30 |

Points, trades, backfills, the history of products and definitions and the current market data are never touched.
"""

import datetime as dt
from collections.abc import Callable

from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db.models import F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django_q.models import Failure, Success

from exo_registry.market import store
from exo_registry.models import CodeVersion, Event, Revision, Run, Series, Step, event_log
from exo_registry.models.run import ENDED, Status

INFORMATION = dt.timedelta(days=90)
TROUBLE = dt.timedelta(days=365)
IMPORTS = dt.timedelta(days=30)
WRONG_PASSWORDS = dt.timedelta(days=1)
TASKS, FAILED_TASKS = dt.timedelta(days=30), dt.timedelta(days=90)
BATCH = 2000  # rows of one transaction, so that no one waits long for the database


def prune(now: dt.datetime | None = None) -> str:
    """Remove what is older than its time. Idempotent. Returns how many rows of each kind were removed, as text."""
    now = now or timezone.now()
    work: dict[str, Callable[[dt.datetime], int]] = {
        "events": _events,
        "online runs": _online_runs,
        "revisions": _revisions,
        "versions of code": _code_versions,
        "tasks": _tasks,
        "wrong passwords": lambda now: _delete(AccessAttempt.objects.filter(attempt_time__lt=now - WRONG_PASSWORDS)),
        "log-ins": lambda now: _delete(Session.objects.filter(expire_date__lt=now)),
    }
    removed = {name: do(now) for name, do in work.items()}
    summary = ", ".join(f"{name}: {count:,}" for name, count in removed.items() if count) or "nothing"
    store.clean()
    if any(removed.values()):
        event_log.record("prune", f"Removed old records ({summary}).")
    return summary


def _delete(rows: QuerySet) -> int:
    """Delete rows in batches; returns how many of them, without what hangs on them."""
    count = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        rows.model._base_manager.filter(pk__in=keys).delete()
        count += len(keys)
    return count


def _events(now: dt.datetime) -> int:
    information = Event.objects.filter(level=Event.Level.INFO)
    old = _delete(information.filter(time__lt=now - INFORMATION))
    old += _delete(information.filter(kind="import", time__lt=now - IMPORTS))
    return old + _delete(Event.objects.filter(time__lt=now - TROUBLE))


def _online_runs(now: dt.datetime) -> int:
    ended = Run.objects.filter(kind=Run.Kind.ONLINE, status__in=ENDED)
    done = ended.filter(status=Status.DONE, finished__lt=now - INFORMATION)
    return _delete_runs(done) + _delete_runs(ended.filter(finished__lt=now - TROUBLE))


def _delete_runs(runs: QuerySet) -> int:
    """Delete runs and steps; events that are to be kept longer stay, without a link to them."""
    count = 0
    while keys := list(runs.order_by("pk").values_list("pk", flat=True)[: BATCH // 20]):
        Event.objects.filter(run__in=keys).update(run=None, step=None)
        Step.objects.filter(run__in=keys).delete()
        Run.objects.filter(pk__in=keys).delete()
        count += len(keys)
    return count


def _revisions(now: dt.datetime) -> int:
    """A series looks at the revisions after the one that it was computed from; those up to it have had their time."""
    newest = Revision.objects.filter(product=OuterRef("product")).order_by().values("product")
    computed = Series.objects.filter(product=OuterRef("product"), market_revision__isnull=False).order_by()
    oldest_used = computed.values("product").annotate(number=Min("market_revision")).values("number")
    old = Revision.objects.filter(created__lt=now - IMPORTS).annotate(
        newest=Subquery(newest.annotate(last=Max("number")).values("last")), used=Subquery(oldest_used)
    )
    return _delete(old.filter(Q(used=None) | Q(number__lte=F("used")), number__lt=F("newest")))


def _code_versions(now: dt.datetime) -> int:
    used = Series.objects.order_by().values("algorithm_hash")
    return _delete(CodeVersion.objects.filter(first_used__lt=now - IMPORTS).exclude(hash__in=used))


def _tasks(now: dt.datetime) -> int:
    old = _delete(Success.objects.filter(stopped__lt=now - TASKS))
    return old + _delete(Failure.objects.filter(stopped__lt=now - FAILED_TASKS))
