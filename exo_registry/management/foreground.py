"""Computing a run in the process of a command, in front of a person: progress, and an end when they ask for it."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from exo_registry.code.loaded_code import OldCode
from exo_registry.failures import explain
from exo_registry.formats.text import counted
from exo_registry.market import MarketStoreError
from exo_registry.models import Run, Status, Step
from exo_registry.runs import control, plan, worker
from exo_registry.runs.lease import worker_name
from exo_registry.runs.retry import drop_connection, interrupts_first
from exo_registry.runs.stages import Stages
from exo_registry.workers.supervisor import stop_signals


def compute(
    command: BaseCommand, run: Run, planned: plan.Plan, stages: Stages | None = None, *, print_done: bool = True
) -> None:
    """Compute the steps of a run that was started from `planned`, with a progress bar if the command has a terminal.

    Prints what is to be computed, then a line for each series that was not computed and, with `print_done`, for each
    that was. Whatever asks the command to stop cancels the run and raises KeyboardInterrupt. Raises CommandError if the
    code on disk has changed since this process loaded it, and if the database or the market store cannot be used.
    """
    try:
        command.stdout.write(
            f"Run {run.pk}: {len(planned.work):,} series, {counted(planned.total_sessions, 'session')} to compute"
        )
        command.stdout.flush()
        with interrupts_first(), stop_signals(signal.default_int_handler) as stop, _progress(command, planned) as show:

            def report(step: Step, done: int, total: int) -> None:
                stop.check()
                show(step, done, total)

            for product in dict.fromkeys(item.series.product for item in planned.work):
                worker.work(run.pk, product.pk, report, stages)
                stop.check()
                for step in run.steps.filter(product=product).select_related("series"):
                    _print_step(command, step, print_done)
    except KeyboardInterrupt:
        drop_connection()  # an interrupted query leaves it in the middle of an answer
        control.cancel(run)
        control.free_steps_of(worker_name(), "interrupted", fault=False)  # a step claimed at that very moment
        worker.close_if_ended(run)
        raise
    except OldCode as error:
        worker.enqueue(run)
        raise CommandError(f"{error}: run the command again. The workers continue run {run.pk}.") from error
    except (DatabaseError, MarketStoreError) as error:
        if (reason := explain(error)) is None:
            raise
        raise CommandError(f"{reason} The workers continue run {run.pk} then.") from error
    run.refresh_from_db()


def _print_step(command: BaseCommand, step: Step, print_done: bool) -> None:
    if step.status != Status.DONE:
        line = f"{step.series.name} {step.status}: {step.error or step.reason}"
        command.stderr.write(command.style.ERROR(line))
    elif print_done:
        gaps = f", {counted(step.gaps, 'gap')}" if step.gaps else ""
        command.stdout.write(f"{step.series.name}: {counted(step.sessions_done, 'session')}{gaps}")


@contextmanager
def quiet_log(quiet: bool = True) -> Iterator[None]:
    """Keep the process's log off the terminal: what happens is printed, and the run's own log has the rest.

    Each call adds a filter of its own and removes just that one, so that calls in several threads of one process
    may overlap: a level kept and put back would stay at the one that another thread had set.
    """
    if not quiet:
        yield
        return

    def drop(record: logging.LogRecord) -> bool:
        return record.name.partition(".")[0] != "exo_registry"

    handlers = logging.getLogger().handlers[:]
    for handler in handlers:
        handler.addFilter(drop)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(drop)


@contextmanager
def _progress(command: BaseCommand, planned: plan.Plan) -> Iterator[worker.Progress]:
    """A progress bar on a terminal, nothing elsewhere; gives the function that workers report to."""
    if not command.stdout.isatty():
        yield lambda step, done, total: None
        return
    done_by_step: dict[int, int] = {}
    with _bar() as bar:
        task = bar.add_task("", total=planned.total_sessions)

        def report(step: Step, done: int, total: int) -> None:
            bar.update(task, advance=done - done_by_step.get(step.pk, 0), description=str(step.product))
            done_by_step[step.pk] = done

        yield report


def _bar():
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("sessions"),
        TimeRemainingColumn(),
    )
