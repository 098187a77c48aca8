"""What a worker does. The database is the source of truth; the task queue only starts workers."""

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
from algorithms.engine.text import describe, shorten
from exo_registry.code import loaded_code
from exo_registry.failures import explain
from exo_registry.formats.text import counted
from exo_registry.market import MarketDataError, MarketStoreError
from exo_registry.models import Product, Run, Status, Step, event_log
from exo_registry.models.run import ACTIVE, ENDED
from exo_registry.series import lineage

from .compute import CannotCompute, CodeChanged, Markets, Retired, Written, compute, store
from .handover import end_cluster
from .lease import Cancelled, Lease, LeaseGone, claim, expire, free, lease_time, take_back_fault, worker_name
from .retry import drop_connection, interrupts_first, is_transient, retry_transient
from .stages import Stages

log = logging.getLogger(__name__)

Progress = Callable[[Step, int, int], None]

ONLINE, BACKFILL = "online", "backfill"  # the two clusters (settings.Q_CLUSTER)
WORK = "exo_registry.runs.worker.work"
ERROR_LIMIT = 2_000  # characters of a step's error
# Long columns that choosing a step needs not read.
NOT_ASKED = (
    "warnings",
    *(f"series__{name}" for name in ("state", "sparkline", "parameters", "product_rules", "dependencies")),
)


def enqueue(run: Run, *, product: Product | None = None, cluster: str | None = None) -> int:
    """Put a task into the queue for each product of the run that has steps waiting; returns how many.

    `product`: for that one only. `cluster`: for another one than the run's own.

    It happens when the current transaction commits. Doing it twice does no harm: steps are claimed.
    """
    cluster = cluster or (ONLINE if run.kind == Run.Kind.ONLINE else BACKFILL)
    waiting = run.steps.filter(status=Status.WAITING, **({"product": product} if product else {})).order_by()
    products = list(waiting.values_list("product", "product__exchangesymbol").distinct())
    for product_id, symbol in products:
        transaction.on_commit(
            lambda pk=product_id, name=symbol: _enqueue_task(run.pk, pk, f"run {run.pk} {name}", cluster)
        )
    return len(products)


def _enqueue_task(run_id: int, product_id: int, name: str, cluster: str) -> None:
    try:
        async_task(WORK, run_id, product_id, cluster=cluster, task_name=name[:100])
    except Exception as error:  # of the database or of Redis
        # The run is stored all the same: the reconciler requeues what no worker takes.
        log.exception("%s: the task queue does not answer", name)
        message = f"The task queue did not take {name} ({type(error).__name__}); it is requeued within minutes."
        with contextlib.suppress(OperationalError, InterfaceError):
            event_log.record("run", message, level="warning", run=Run.objects.get(pk=run_id))


def work(run_id: int, product_id: int, on_progress: Progress | None = None, stages: Stages | None = None) -> str:
    """Compute the waiting steps of one product of a run, in dependency order; returns a line for the task list.

    Called by workers, and by the shell with `on_progress(step, done, total)` and `stages`, which gathers where
    the time goes. Any number of workers may do so: each step is computed by the one that claims it, and a
    step waits for those that it reads.

    A worker with old code requeues the task and has its cluster replaced; elsewhere that is an OldCode error, and
    what is left waits.
    """
    if not connection.in_atomic_block:
        close_old_connections()
    run = Run.objects.get(pk=run_id)
    try:
        with _collector_paused():
            ended = _work(run, product_id, on_progress, stages)
    except loaded_code.OldCode as error:
        if end_cluster(error):
            enqueue(run, product=Product.objects.get(pk=product_id))
        return f"requeued: {error}"
    close_if_ended(run)
    return counted(ended, "step")


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
    """Compute what can be had of a product's steps, each with the code that is on disk when it begins; how many."""
    markets: Markets | None = None
    ended = 0
    while True:
        loaded_code.require_current()
        if (lease := _next(run, product_id)) is None:
            return ended
        if markets is None:
            markets = Markets(lease.step.product, stages)
        _attempt(lease, markets, on_progress)
        ended += 1


def _next(run: Run, product_id: int) -> Lease | None:
    """Claim the first step that can be computed now; steps whose dependency ended badly are skipped on the way."""
    mine = run.steps.filter(product=product_id).order_by("position")
    steps = list(mine.select_related("series__definition", "product", "run").defer(*NOT_ASKED))
    by_name = {step.series.name: step for step in steps}
    if any(step.run.cancel_requested for step in steps):
        return None
    now = timezone.now()
    for step in steps:
        expire(step, now)
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
        event_log.record("step", f"{step.series.name} skipped: {reason}.", level="warning", step=step)


def _attempt(lease: Lease, markets: Markets, on_progress: Progress | None) -> None:
    """Compute a claimed step and end it, well or badly; whatever stops the process leaves it to be claimed again."""
    step = lease.step

    def on_session(done: int, total: int) -> None:
        lease.progress(done, total)
        if on_progress is not None:
            on_progress(step, done, total)

    try:
        with interrupts_first():
            lease.renew()
            with markets.stages.time("compute"):
                computed = compute(step, markets, on_session)
            lease.renew()
            with markets.stages.time("store"):
                written = retry_transient(store)(computed, lease)
            _log_done(step, computed.rebuilt, written)
    except LeaseGone:
        if _is_stored(step):
            message = f"{step.series.name}: stored, though the connection was lost before the database confirmed it."
            event_log.record("step", message, step=step)
            return
        take_back_fault(step)
        message = f"{step.series.name}: the lease of {worker_name()} had expired; its result was discarded."
        event_log.record("step", message, level="warning", step=step)
    except CodeChanged as error:
        _release(lease)
        event_log.record("step", f"{step.series.name}: {error}; to be computed again.", step=step)
    except Retired as error:
        _end(lease, Status.SKIPPED, f"{step.series.name} skipped: {error}.", reason=str(error))
    except Cancelled:
        _end(lease, Status.CANCELLED, f"{step.series.name} cancelled; nothing of it was stored.")
    except MarketStoreError as error:
        if not error.transient:
            _end(lease, Status.FAILED, f"{step.series.name} failed: {error}.", error=f"{error}.")
        elif free(step, str(error), fault=False, error=f"{error}.") == Status.WAITING:
            raise  # the other steps would only wait for the same; the reconciler requeues all of them
    except (CannotCompute, MarketDataError) as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {error}", error=str(error))
    except AlgorithmError as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {error}\n{error.trace}", error=str(error))
    except EngineError as error:
        _end(lease, Status.FAILED, f"{step.series.name} failed: {error}", error=str(error))
    except (OperationalError, InterfaceError) as error:
        log.exception("run %s: %s: the database does not answer", step.run_id, step.series.name)
        _release_when_back(lease, error)
        raise
    except Exception as error:
        log.exception("run %s: %s", step.run_id, step.series.name)
        short = explain(error) or f"Unexpected {describe(error)}. The run's log has the details."
        message = f"{step.series.name} failed: {short}\n{traceback.format_exc()}"
        _end(lease, Status.FAILED, message, error=short)
    except BaseException:
        # A task's time limit, an interrupt: not the step's fault, so another worker may take it at once.
        drop_connection()  # it may be in the middle of an answer
        _release(lease)
        raise


def _is_stored(step: Step) -> bool:
    """Whether it is done by this worker: the commit got through, and its answer was lost with the connection."""
    return Step.objects.filter(pk=step.pk, status=Status.DONE, worker=worker_name(), started=step.started).exists()


def _log_done(step: Step, rebuilt: bool, written: Written) -> None:
    step.refresh_from_db(fields=["sessions_done"])
    gaps = f", {counted(written.gaps, 'gap')}" if written.gaps else ""
    how = "computed from the start" if rebuilt else "added"
    result = f"{counted(written.points, 'point')} and {counted(written.trades, 'trade')} written"
    if rebuilt and not (written.points or written.trades):
        result = "the same points and trades as stored"
    sessions = counted(step.sessions_done, "session")
    event_log.record("step", f"{step.series.name}: {sessions} {how}{gaps}; {result}.", step=step)


def _end(lease: Lease, status: str, message: str, **fields: object) -> None:
    if "error" in fields:
        fields["error"] = shorten(str(fields["error"]), ERROR_LIMIT)
    try:
        lease.end(status, **fields)
    except LeaseGone:
        return  # whoever has it now will say how it ends
    level = "error" if status == Status.FAILED else "warning"
    event_log.record("step", message, level=level, step=lease.step)


def _release_when_back(lease: Lease, error: Exception) -> None:
    """Release a step that the database interrupted, once it answers; not the step's fault.

    If it stays away, the lease expires, and the reconciler frees the step for another worker. What an operator has to
    fix first, such as a full disk, is left to the reconciler, too, so that nothing is tried without a pause.
    """
    patience = time.monotonic() + lease_time().total_seconds() / 2
    while True:
        try:
            drop_connection()
            if _release(lease):
                name = lease.step.series.name
                message = f"{name}: interrupted in {worker_name()}, to be computed again. {explain(error)}"
                event_log.record("step", message, level="warning", step=lease.step)
                if is_transient(error):
                    enqueue(lease.step.run, product=lease.step.product)
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > patience:
                return
            time.sleep(1)


def _release(lease: Lease) -> bool:
    """Release a step for another worker; False if it was ended, or claimed by another, already."""
    try:
        lease.release()
    except LeaseGone:
        log.info("step %s had been ended, or claimed by another worker", lease.step.pk)
        return False
    return True


@retry_transient
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
    held.status = next((status for status in (Status.CANCELLED, Status.FAILED) if status in counts), Status.DONE)
    held.finished = timezone.now()
    held.save(update_fields=["status", "finished"])
    summary = ", ".join(f"{counts[status]} {status}" for status in ENDED if status in counts)
    level = "error" if held.status == Status.FAILED else "info"
    event_log.record("run", f"Run {run.pk} {held.status}: {summary}.", level=level, run=run)
    return True
