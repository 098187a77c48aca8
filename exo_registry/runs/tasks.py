"""What a worker does. The database owns the truth; the task queue is only the doorbell."""

import contextlib
import gc
import logging
import time
import traceback
from collections.abc import Callable, Iterator

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.models import Count
from django.utils import timezone
from django_q.tasks import async_task

from algorithms.engine.errors import AlgorithmError, EngineError
from exo_registry import events
from exo_registry.market_store import MarketDataError
from exo_registry.models import Product, Run, Status, Step
from exo_registry.models.run import ACTIVE, ENDED

from . import lineage, losses
from .compute import CannotCompute, Markets, Written, compute, store
from .lease import Cancelled, Lease, LostLease, claim, lease_time, worker_name
from .retry import when_locked
from .stages import Stages

log = logging.getLogger(__name__)

Progress = Callable[[Step, int, int], None]

ONLINE, BACKFILL = "online", "backfill"  # the two clusters (settings.Q_CLUSTER)
WORK = "exo_registry.runs.tasks.work"
# Long columns that choosing a step needs not read.
NOT_ASKED = (
    "warnings",
    *(f"series__{name}" for name in ("state", "sparkline", "parameters", "product_rules", "dependencies")),
)


def enqueue(run: Run, *, product: Product | None = None, cluster: str | None = None) -> int:
    """Ring for a worker, once a product of the run that has steps waiting; returns how many times.

    `product`: for that one only. `cluster`: at another than the run's own.

    The bell rings when the current transaction commits. Ringing twice does no harm: steps are claimed.
    """
    cluster = cluster or (ONLINE if run.kind == Run.Kind.ONLINE else BACKFILL)
    waiting = run.steps.filter(status=Status.WAITING, **({"product": product} if product else {})).order_by()
    products = list(waiting.values_list("product", "product__exchangesymbol").distinct())
    for product_id, symbol in products:
        transaction.on_commit(lambda pk=product_id, name=symbol: _ring(run.pk, pk, f"run {run.pk} {name}", cluster))
    return len(products)


def _ring(run_id: int, product_id: int, name: str, cluster: str) -> None:
    try:
        async_task(WORK, run_id, product_id, cluster=cluster, task_name=name[:100])
    except Exception as error:  # of the database or of Redis
        # The run stands whether the bell rings or not: the reconciler rings for what nobody attends to.
        log.exception("%s: the task queue does not answer", name)
        words = f"The task queue did not take {name} ({type(error).__name__}); it is sent again within minutes."
        with contextlib.suppress(OperationalError, InterfaceError):
            events.record("run", words, level="warning", run=Run.objects.get(pk=run_id))


def work(run_id: int, product_id: int, on_progress: Progress | None = None, stages: Stages | None = None) -> str:
    """Compute the waiting steps of one product of a run, in dependency order; returns a line for the task list.

    Called by workers, and by the shell with `on_progress(step, done, total)` and `stages`, which gathers where
    the time goes. Any number of workers may be at it: each step is computed by the one that claims it, and a
    step waits for those that it reads.
    """
    if not connection.in_atomic_block:
        close_old_connections()
    run = Run.objects.get(pk=run_id)
    with _collector_paused():
        ended = _work(run, product_id, on_progress, stages)
    close_if_ended(run)
    return f"{ended} step{'' if ended == 1 else 's'}"


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows come by the hundred thousand and hold no cycles: looking through them again and again took a fifth of a
    backfill's time. What was made meanwhile, a market above all, is looked at once, at the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)


def _work(run: Run, product_id: int, on_progress: Progress | None, stages: Stages | None) -> int:
    """Compute what can be had of a product's steps; how many."""
    markets: Markets | None = None
    ended = 0
    while (lease := _next(run, product_id)) is not None:
        if markets is None:
            markets = Markets(lease.step.product, stages)
        _attempt(lease, markets, on_progress)
        ended += 1
    return ended


def _next(run: Run, product_id: int) -> Lease | None:
    """Claim the first step that can be computed now; steps whose dependency ended badly are skipped on the way."""
    mine = run.steps.filter(product=product_id).order_by("position")
    steps = list(mine.select_related("series__definition", "product", "run").defer(*NOT_ASKED))
    by_name = {step.series.name: step for step in steps}
    if any(step.run.cancel_requested for step in steps):
        return None
    now = timezone.now()
    for step in steps:
        if losses.is_lapsed(step, now):
            losses.lapsed(step, now)
        if step.status not in ACTIVE:
            continue
        needs = [by_name[name] for name in _needs(step) if name in by_name]
        if bad := [needed for needed in needs if needed.status in ENDED and needed.status != Status.DONE]:
            _skip(step, bad[0])
        elif all(needed.status == Status.DONE for needed in needs) and (lease := claim(step)):
            return lease
    return None


def _needs(step: Step) -> list[str]:
    series = step.series
    series.product = step.product
    try:
        return lineage.needed_names(series, lineage.algorithm_of(series))
    except ValueError:
        return []  # computing it will say what is wrong


def _skip(step: Step, needed: Step) -> None:
    how = "failed" if needed.status == Status.FAILED else f"was {needed.status}"
    reason = f"{needed.series.name}, which it reads, {how}"
    waiting = Step.objects.filter(pk=step.pk, status=Status.WAITING)
    if waiting.update(status=Status.SKIPPED, reason=reason, finished=timezone.now()):
        step.status = Status.SKIPPED
        events.record("step", f"{step.series.name} skipped: {reason}.", level="warning", step=step)


def _attempt(lease: Lease, markets: Markets, on_progress: Progress | None) -> None:
    """Compute a claimed step and end it, well or badly; whatever stops the process leaves it to be claimed again."""
    step = lease.step

    def on_session(done: int, total: int) -> None:
        lease.progress(done, total)
        if on_progress is not None:
            on_progress(step, done, total)

    try:
        lease.beat()
        with markets.stages.time("compute"):
            computed = compute(step, markets, on_session)
        lease.beat()
        with markets.stages.time("store"):
            written = when_locked(store)(computed, lease)
        _log_done(step, computed.rebuilt, written)
    except LostLease:
        losses.acquit(step)
        words = f"{step.series.name}: {worker_name()} had lost it to another worker; nothing of it was kept."
        events.record("step", words, level="warning", step=step)
    except Cancelled:
        _end(lease, Status.CANCELLED, f"{step.series.name} cancelled; nothing of it was stored.")
    except (CannotCompute, MarketDataError) as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {error}", error=str(error))
    except AlgorithmError as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {traceback.format_exc()}", error=str(error))
    except EngineError as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {error}", error=str(error))
    except (OperationalError, InterfaceError):
        log.exception("run %s: %s: the database does not answer", step.run_id, step.series.name)
        _release_when_back(lease)
        raise
    except Exception as error:
        log.exception("run %s: %s", step.run_id, step.series.name)
        short = f"Unexpected {type(error).__name__}: {error}. The run's log has the details."
        _end(lease, Status.FAILED, f"{step.series.name} failed: {traceback.format_exc()}", error=short)
    except BaseException:
        # A task's time limit, an interrupt: not the step's fault, so another worker may take it at once.
        _release(lease)
        raise


def _log_done(step: Step, rebuilt: bool, written: Written) -> None:
    step.refresh_from_db(fields=["sessions_done"])
    gaps = f", {written.gaps:,} gap{'' if written.gaps == 1 else 's'}" if written.gaps else ""
    how = "computed from the start" if rebuilt else "added"
    events.record(
        "step",
        f"{step.series.name}: {step.sessions_done:,} sessions {how}{gaps}; "
        f"{written.points:,} points and {written.trades:,} trades written.",
        step=step,
    )


def _end(lease: Lease, status: str, message: str, **fields: object) -> None:
    try:
        lease.end(status, **fields)
    except LostLease:
        return  # whoever has it now will say how it ends
    level = "warning" if status == Status.CANCELLED else "error"
    events.record("step", message, level=level, step=lease.step)


def _release_when_back(lease: Lease) -> None:
    """Give back a step that the database interrupted, once it answers; not the step's fault.

    If it stays away, the lease runs out, and the reconciler gives the step to another worker.
    """
    patience = time.monotonic() + lease_time().total_seconds() / 2
    while True:
        try:
            if not connection.in_atomic_block:
                connection.close()
            _release(lease)
            words = f"{lease.step.series.name}: the database did not answer {worker_name()}; to be computed again."
            events.record("step", words, level="warning", step=lease.step)
            enqueue(lease.step.run, product=lease.step.product)
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > patience:
                return
            time.sleep(1)


def _release(lease: Lease) -> None:
    try:
        lease.release()
    except LostLease:
        log.info("step %s had been given to another worker", lease.step.pk)


@when_locked
@transaction.atomic
def close_if_ended(run: Run) -> bool:
    """End the run when its last step has ended; its status follows from theirs. True if this call did it.

    Whoever ends the last step comes by here after it, so that no run stays open. The run's row is locked before its
    steps are looked at: of several who try one succeeds, and none closes a run that is being opened again.
    """
    held = Run.objects.select_for_update().get(pk=run.pk)
    counts = dict(held.steps.order_by().values_list("status").annotate(Count("pk")))
    if held.status not in ACTIVE or any(status in ACTIVE for status in counts):
        return False
    held.status = next((one for one in (Status.CANCELLED, Status.FAILED) if one in counts), Status.DONE)
    held.finished = timezone.now()
    held.save(update_fields=["status", "finished"])
    summary = ", ".join(f"{counts[status]} {status}" for status in ENDED if status in counts)
    level = "error" if held.status == Status.FAILED else "info"
    events.record("run", f"Run {run.pk} {held.status}: {summary}.", level=level, run=run)
    return True
