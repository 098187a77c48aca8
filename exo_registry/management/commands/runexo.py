"""Compute EXO series: the newest session, or a backfill."""

import sys

from django.core.management.base import CommandError, CommandParser

from exo_registry.formats.text import counted
from exo_registry.models import Run, Status
from exo_registry.runs import plan
from exo_registry.runs.request import DEFAULT_MODE, RequestError, RunRequest, request_run
from exo_registry.runs.stages import Stages

from .. import arguments, foreground
from ..base import BaseCommand

SOME_FAILED = 1
STORING = ("backfill", "until", "stale", "reset", "queue", "dry_run")  # options of what --watch does not do


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
        parser.add_argument(
            "--queue", action="store_true", help="Enqueue for the workers; compute nothing in this process."
        )
        parser.add_argument("--dry-run", action="store_true", help="Print the plan, compute nothing.")
        parser.add_argument(
            "--watch",
            action="store_true",
            help="Check the EXOs of -E, compute their last two years, print statistics and what changed; again on "
            "each save of their code, until Ctrl-C. Nothing is stored.",
        )

    def handle(self, **options) -> None:
        self._check(options)
        if options["watch"]:
            self._watch(options)
            return
        with foreground.quiet_log(options["verbosity"] < 2):
            self._plan_and_run(options)

    def _plan_and_run(self, options: dict) -> None:
        stages = Stages()
        asked = self._asked(options)
        with stages.time("plan"):
            run, planned = (None, asked.plan()) if options["dry_run"] else self._request(asked, options)
        for problem in planned.problems:
            self.stderr.write(self.style.WARNING(problem))
        if options["dry_run"]:
            self._print_plan(planned)
        elif run:
            self._compute(run, planned, options, stages)
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
        storing = [f"--{name.replace('_', '-')}" for name in STORING if options[name]]
        if options["watch"] and (storing or not options["exolist"]):
            reason = f"stores nothing: leave {storing[0]} out" if storing else "needs -E NAME"
            raise CommandError(f"--watch {reason}.", returncode=arguments.BAD_ARGUMENTS)

    def _watch(self, options: dict) -> None:
        from .. import author_loop  # it takes what checks definitions, which runs need not

        chosen = arguments.definitions(options["exolist"])
        try:
            author_loop.watch(chosen, arguments.products(options["symbols"]), self._say)
        except KeyboardInterrupt:
            return

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _asked(self, options: dict) -> RunRequest:
        symbols, names = options["symbols"], options["exolist"]
        backfill = options["backfill"] or options["reset"] or options["stale"]
        try:
            return RunRequest(
                products=arguments.products(symbols) if symbols else None,
                definitions=arguments.definitions(names) if names else None,
                start=options["backfill"],
                until=options["until"],
                mode=Run.Mode.RESET if options["reset"] else Run.Mode.STALE if options["stale"] else DEFAULT_MODE,
                kind=Run.Kind.BACKFILL if backfill else Run.Kind.ONLINE,
            )
        except RequestError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=arguments.BAD_ARGUMENTS) from error

    def _request(self, asked: RunRequest, options: dict) -> tuple[Run | None, plan.Plan]:
        """The run and its plan; no run if there is nothing to compute."""
        try:
            return request_run(asked, source=Run.Source.SHELL, queue=options["queue"])
        except plan.NothingToDo as error:
            return None, error.plan
        except plan.AlreadyActive as error:
            raise CommandError(str(error), returncode=SOME_FAILED) from error

    def _print_plan(self, planned: plan.Plan) -> None:
        for item in planned.items:
            span = f"{item.first} to {item.last}" if item.first else "-"
            self.stdout.write(
                f"{item.action:<8} {item.series.name:<28} {item.sessions:>7,} sessions  {span:<24}  {item.reason}"
            )
        self.stdout.write(f"{len(planned.work):,} series to compute, {counted(planned.total_sessions, 'session')}.")

    def _compute(self, run: Run, planned: plan.Plan, options: dict, stages: Stages) -> None:
        if options["queue"]:
            self.stdout.write(
                f"Run {run.pk} queued: {len(planned.work):,} series, {counted(planned.total_sessions, 'session')}."
            )
            return
        try:
            foreground.compute(self, run, planned, stages)
        except KeyboardInterrupt:
            raise CommandError(f"Run {run.pk} cancelled.", returncode=SOME_FAILED) from None
        if run.status != Status.DONE:
            counts = run.steps.exclude(status=Status.DONE).count()
            raise CommandError(f"Run {run.pk} {run.status}: {counts} of {run.steps.count()} series not computed.")
        self.stdout.write(self.style.SUCCESS(f"Run {run.pk} done: {run.steps.count()} series."))
