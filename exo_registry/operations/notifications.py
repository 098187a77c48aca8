"""Notifies people of what went wrong, and that it is over: one message for a bad night, not one for each failure.

The event log is read every minute. Events of five kinds have a subject, and the newest event of a subject is its
state: a step's is its series, online work's and a delay's its product, an import's its product or the feeds as a
whole, a worker's the workers as a whole. An error, a delay, or a warning of online work or workers, is a problem;
information about the same subject means that it is over. A problem is sent once, however often it comes again. A
burst is gathered first; messages then keep a distance that doubles, from 15 minutes to 4 hours, and is forgotten after
4 quiet hours. What several workers share is one row, held by a lease while one sends.

Sending never raises: what goes wrong is an event, in words without the addresses, which hold passwords.
"""

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q
from django.utils import timezone

from exo_registry.formats.text import counted, listed
from exo_registry.models import Event, NotifierState, event_log

log = logging.getLogger(__name__)

GATHER = dt.timedelta(seconds=45)  # how long the first problem waits for others
SHORTEST, LONGEST = dt.timedelta(minutes=15), dt.timedelta(hours=4)  # between two messages
RETRY = dt.timedelta(minutes=5)  # after sending failed
LEASE = dt.timedelta(minutes=2)
# Transactions that began before the last look may have ended after it, so each look goes back this far.
OVERLAP = dt.timedelta(minutes=10)
FORGET = dt.timedelta(days=1)  # what is older when it is first seen is not sent any more
REMIND = dt.timedelta(days=7)  # what is not over by then is sent again if it comes again
KINDS = ("step", "online", "delay", "worker", "import")
WARNINGS_COUNT = ("online", "delay", "worker")
LINES, NAMES, WORDS = 30, 8, 300  # at most: lines of a message, names in a line, letters of a reason


@dataclass(frozen=True)
class Sent:
    """What became of a message: how many addresses took it, and what is wrong with the others."""

    accepted: int
    problems: list[str]


def send_digest(now: dt.datetime | None = None) -> str:
    """Read new events and, if it is time, send what they add up to. A schedule calls it every minute.

    Returns a line for the task list. Does nothing while no address is set, or while another worker is at it.
    """
    if not settings.NOTIFY_URLS:
        return "no address in EXOWEB_NOTIFY_URLS"
    now = now or timezone.now()
    state = _claim(now)
    if state is None:
        return "another worker is sending"
    try:
        _read_events(state, now)
        return _send_if_due(state, now)
    finally:
        _release(state)


def send_test(user: AbstractBaseUser | None = None) -> Sent:
    """Send a message to every address at once, to see whether they work."""
    requested = f" requested by {user}" if user is not None else ""
    result = send("exoweb: test", f"A test{requested}. Notifications from exoweb arrive at this address.")
    return _recorded(result, "Test of notifications", user)


def send(title: str, body: str) -> Sent:
    """Send a message to every address of EXOWEB_NOTIFY_URLS. Never raises."""
    accepted, problems = 0, []
    for number, url in enumerate(settings.NOTIFY_URLS, 1):
        problem = _send_to(url, title, body)
        if problem is None:
            accepted += 1
        else:
            problems.append(f"address {number} ({scheme(url)}) {problem}")
    return Sent(accepted, problems)


def scheme(url: str) -> str:
    """What may be shown of an address: its kind, such as mailto."""
    head, separator, _ = url.partition("://")
    return head if separator and head.isalnum() else "no scheme"


def _send_to(url: str, title: str, body: str) -> str | None:
    """None, or what went wrong, without the address."""
    import apprise  # slow to import, and needed by the few processes that send

    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="exoweb", async_mode=False))
    try:
        if not sender.add(url):
            return "is not one that apprise understands; see EXOWEB_NOTIFY_URLS"
        if not sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
            return "did not accept the message; check that it is right and can be reached"
    except Exception as error:  # a plug-in's own; its words may hold the address
        return f"failed with {type(error).__name__}"
    return None


def _recorded(result: Sent, what: str, user: AbstractBaseUser | None = None) -> Sent:
    if result.problems:
        event_log.record("notify", f"{what}: {'; '.join(result.problems)}.", level="error", user=user)
    elif not settings.NOTIFY_URLS:
        event_log.record("notify", f"{what}: no address is set in EXOWEB_NOTIFY_URLS.", level="warning", user=user)
    else:
        event_log.record("notify", f"{what}: sent to {counted(result.accepted, 'address')}.", user=user)
    return result


# The shared row.


def _claim(now: dt.datetime) -> NotifierState | None:
    NotifierState.objects.get_or_create(pk=NotifierState.ONLY)
    free = NotifierState.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), pk=NotifierState.ONLY)
    token = uuid.uuid4()
    if not free.update(lease_token=token, lease_until=now + LEASE):
        return None
    return NotifierState.objects.get(pk=NotifierState.ONLY)


def _release(state: NotifierState) -> None:
    """Write the row back, unless another worker has the lease by now."""
    kept = ("checked", "pending", "open", "over", "last_sent", "streak", "failed_at")
    held = NotifierState.objects.filter(pk=state.pk, lease_token=state.lease_token)
    held.update(lease_token=None, lease_until=None, **{name: getattr(state, name) for name in kept})


# What happened.


def _read_events(state: NotifierState, now: dt.datetime) -> None:
    """Bring `pending`, `open` and `over` up to date. Reading the same events twice changes nothing."""
    start = max(now - FORGET, state.checked - OVERLAP) if state.checked else now - FORGET
    events = Event.objects.filter(kind__in=KINDS, time__gte=start).order_by("time", "id")
    # One row a subject: the newest, which is its state.
    newest: dict[str, dict] = {}
    for event in events.values(
        "time", "level", "kind", "message", "run", "series", "series__name", "product", "product__exchangesymbol"
    ).iterator():
        if event["level"] == Event.Level.WARNING and event["kind"] not in WARNINGS_COUNT:
            continue  # a detail of a run, such as a step skipped or tried again
        newest[_subject(event)] = event
    for subject, event in newest.items():
        if event["level"] == Event.Level.INFO:
            state.pending.pop(subject, None)
            if problem := state.open.pop(subject, None):
                state.over[subject] = problem
        else:
            _add_problem(state, subject, event)
    recent = now - REMIND
    state.open = {
        subject: problem
        for subject, problem in state.open.items()
        if dt.datetime.fromisoformat(problem["since"]) > recent
    }
    state.checked = now


def _add_problem(state: NotifierState, subject: str, event: dict) -> None:
    if subject in state.open:
        return
    if came_back := state.over.pop(subject, None):  # before the recovery was sent
        state.open[subject] = came_back
        return
    since = state.pending.get(subject, {}).get("since") or event["time"].isoformat()
    state.pending[subject] = {
        "since": since,
        "kind": event["kind"],
        "product": event["product__exchangesymbol"] or "",
        "series": event["series__name"] or "",
        "run": event["run"],
        "message": _reason(event["message"]),
    }


def _subject(event: dict) -> str:
    """What an event is about. Of online work, what concerns a series, or no product, is a subject of its own."""
    kind = event["kind"]
    if kind == "step":
        return f"step {event['series']}"
    if kind == "worker":
        return "worker"
    if kind == "online" and (event["series"] or not event["product"]):
        return f"online {event['series']} {_reason(event['message'])}"
    return f"{kind} {event['product']}"


def _reason(message: str) -> str:
    """One line of a message; of a traceback, the last, which says what happened."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


# What is sent.


def _send_if_due(state: NotifierState, now: dt.datetime) -> str:
    if not state.open and not state.pending and not state.over:
        return "no open problems"
    if not _is_due(state, now):
        return counted(len(state.pending), "problem waits to be sent", "problems wait to be sent")
    if not state.pending and not state.over:
        return f"{counted(len(state.open), 'open problem')}, nothing new"
    title, body = message(state.pending.values(), state.over.values(), len(state.open))
    result = send(title, body)
    if result.problems and (state.failed_at is None or result.accepted):
        _recorded(result, "Notification")
    if not result.accepted:
        state.failed_at = now
        return "no address accepted the message"
    if state.failed_at is not None:
        event_log.record("notify", "Notifications are delivered again.")
    sent = f"sent {counted(len(state.pending), 'problem')} and {counted(len(state.over), 'recovery')}"
    quiet = state.last_sent is None or now - state.last_sent > LONGEST
    state.streak = 1 if quiet else state.streak + 1
    state.failed_at, state.last_sent = None, now
    state.open |= state.pending
    state.pending, state.over = {}, {}
    return sent


def _is_due(state: NotifierState, now: dt.datetime) -> bool:
    if state.failed_at is not None and now < state.failed_at + RETRY:
        return False
    if state.last_sent is not None:
        doublings = min(state.streak - 1, 10)  # far beyond LONGEST
        if now < state.last_sent + min(SHORTEST * 2**doublings, LONGEST):
            return False
    first = min((dt.datetime.fromisoformat(problem["since"]) for problem in state.pending.values()), default=None)
    return first is None or now >= first + GATHER


def message(problems: Iterable[dict], recovered: Iterable[dict], still_open: int = 0) -> tuple[str, str]:
    """Title and text of a message about new problems and recoveries, grouped by kind and product."""
    problems, recovered = list(problems), list(recovered)
    parts = [counted(len(problems), "problem")] if problems else []
    parts += [f"{len(recovered)} recovered"] if recovered else []
    lines = [*_lines("", problems, reasons=True), *_lines("Recovered: ", recovered, reasons=False)]
    if still_open:
        lines.append(f"{counted(still_open, 'earlier problem is', 'earlier problems are')} still open.")
    return f"exoweb: {', '.join(parts)}", "\n".join(lines)


def _lines(start: str, entries: list[dict], *, reasons: bool) -> list[str]:
    groups: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for entry in entries:
        groups[entry["kind"], entry["product"]].append(entry)
    lines = [start + _line(kind, product, group, reasons) for (kind, product), group in sorted(groups.items())]
    if more := len(lines) - LINES:
        lines = [*lines[:LINES], f"… and {counted(more, 'more line')}."] if more > 0 else lines
    return lines


def _line(kind: str, product: str, group: list[dict], reasons: bool) -> str:
    names = sorted(entry["series"] for entry in group if entry["series"])
    shown = listed(names, NAMES)
    what = {"step": "failed" if reasons else "computed", "delay": "late", "worker": "workers"}.get(kind, kind)
    line = " ".join(part for part in (product, what, f"({len(group)}): {shown}" if shown else "") if part)
    if not reasons:
        return line
    runs = sorted({entry["run"] for entry in group if entry["run"]})
    where = f" [run {', '.join(map(str, runs[:3]))}{', …' if len(runs) > 3 else ''}]" if runs else ""
    return f"{line}{where}: {group[0]['message']}"
