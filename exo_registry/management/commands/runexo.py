"""Compute EXO series: the newest session, or a backfill."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from exo_registry.management import arguments
from exo_registry.models import Run, Status, Step
from exo_registry.runs import control, plan, tasks
from exo_registry.runs.stages import Stages

SOME_FAILED = 1


class Command(BaseCommand):
    help = (
        "Computes EXO series of some products (default: all active ones). Without -B: brings them up to the newest "
        "session. Exit status: 0 all done, 1 some series failed or was refused, 2 bad arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="Products, such as ES CL; none: all active.")
        parser.add_argument(
            "-E", "--exolist", type=arguments.names, metavar="NAME,…", help="EXO definitions (default: all enabled)."
        )
        parser.add_argument(
            "-B",
            "--backfill",
            type=arguments.iso_date,
            metavar="YYYY-MM-DD",
            help="First session wanted of series without points; earlier than what is stored: computed from there.",
        )
        parser.add_argument(
            "--until", type=arguments.iso_date, metavar="YYYY-MM-DD", help="Last session (default: the newest)."
        )
        parser.add_argument("--stale", action="store_true", help="Compute stale series again, too.")
        parser.add_argument("--reset", action="store_true", help="Compute everything again, from the start.")
        parser.add_argument("--queue", action="store_true", help="Hand over to the workers; do not compute here.")
        parser.add_argument("--dry-run", action="store_true", help="Print the plan, compute nothing.")

    def handle(self, **options) -> None:
        self._check(options)
        with _quiet_log(options["verbosity"] < 2):
            self._plan_and_run(options)

    def _plan_and_run(self, options: dict) -> None:
        stages = Stages()
        with stages.time("plan"):
            planned = self._plan(options)
        for problem in planned.problems:
            self.stderr.write(self.style.WARNING(problem))
        if options["dry_run"]:
            self._print_plan(planned)
        elif planned.work:
            self._run(planned, options, stages)
        elif not planned.problems:
            self.stdout.write("Every series is up to date.")
        if options["verbosity"] > 1:
            self.stdout.write(f"Time: {stages}")
        if planned.problems:
            sys.exit(SOME_FAILED if planned.items else arguments.BAD_ARGUMENTS)

    def _check(self, options: dict) -> None:
        if options["reset"] and options["stale"]:
            raise CommandError(
                "--reset computes stale series as well: leave --stale out.", returncode=arguments.BAD_ARGUMENTS
            )
        start, until = options["backfill"], options["until"]
        if start and until and until < start:
            raise CommandError(f"--until {until} is before -B {start}.", returncode=arguments.BAD_ARGUMENTS)

    def _plan(self, options: dict) -> plan.Plan:
        symbols, exos = options["symbols"], options["exolist"]
        backfill = options["backfill"] or options["reset"] or options["stale"]
        return plan.make_plan(
            products=arguments.products(symbols) if symbols else None,
            exos=arguments.definitions(exos) if exos else None,
            start=options["backfill"],
            until=options["until"],
            mode=Run.Mode.RESET if options["reset"] else Run.Mode.STALE if options["stale"] else Run.Mode.MISSING,
            kind=Run.Kind.BACKFILL if backfill else Run.Kind.ONLINE,
        )

    def _print_plan(self, planned: plan.Plan) -> None:
        for item in planned.items:
            span = f"{item.first} to {item.last}" if item.first else "-"
            self.stdout.write(
                f"{item.action:<8} {item.series.name:<28} {item.sessions:>7,} sessions  {span:<24}  {item.reason}"
            )
        self.stdout.write(f"{len(planned.work)} series to compute, {planned.total_sessions:,} sessions.")

    def _run(self, planned: plan.Plan, options: dict, stages: Stages) -> None:
        try:
            with stages.time("plan"):
                run = plan.start(planned, source=Run.Source.SHELL)
        except plan.AlreadyActive as error:
            raise CommandError(str(error), returncode=SOME_FAILED) from error
        if options["queue"]:
            tasks.enqueue(run)
            self.stdout.write(f"Run {run.pk} queued: {len(planned.work)} series, {planned.total_sessions:,} sessions.")
            return
        self._compute(run, planned, stages)
        run.refresh_from_db()
        if run.status != Status.DONE:
            counts = run.steps.exclude(status=Status.DONE).count()
            raise CommandError(f"Run {run.pk} {run.status}: {counts} of {run.steps.count()} series not computed.")
        self.stdout.write(self.style.SUCCESS(f"Run {run.pk} done: {run.steps.count()} series."))

    def _compute(self, run: Run, planned: plan.Plan, stages: Stages) -> None:
        """Compute the run here. An interrupt, or a polite request to end, cancels it."""
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with _progress(self, planned) as report:
                for product, items in planned.by_product().items():
                    if any(item.action != plan.SKIP for item in items):
                        tasks.work(run.pk, product.pk, report, stages)
                        self._print_steps(run.steps.filter(product=product).select_related("series"))
        except KeyboardInterrupt:
            control.cancel(run)
            raise CommandError(f"Run {run.pk} cancelled.", returncode=SOME_FAILED) from None
        except DatabaseError as error:
            message = f"The database does not answer ({error}). Run {run.pk} goes on with the workers once it does."
            raise CommandError(message, returncode=SOME_FAILED) from error
        finally:
            signal.signal(signal.SIGTERM, before)

    def _print_steps(self, steps) -> None:
        for step in steps:
            if step.status == Status.DONE:
                gaps = f", {step.gaps:,} gap{'s' * (step.gaps > 1)}" if step.gaps else ""
                self.stdout.write(f"{step.series.name}: {step.sessions_done:,} sessions{gaps}")
            else:
                self.stderr.write(self.style.ERROR(f"{step.series.name} {step.status}: {step.error or step.reason}"))


@contextmanager
def _quiet_log(quiet: bool) -> Iterator[None]:
    """Keep the process's log off the terminal: what happens is printed, and the run's own log has the rest."""
    logger = logging.getLogger("exo_registry")
    before = logger.level
    if quiet:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _progress(command: BaseCommand, planned: plan.Plan) -> Iterator[tasks.Progress | None]:
    """A progress bar on a terminal, nothing elsewhere; gives the function that workers report to."""
    if not command.stdout.isatty():
        yield None
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
