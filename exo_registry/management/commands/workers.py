"""`manage.py workers`: the task clusters of this machine, watched and restarted when they stop or freeze."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandParser

from exo_registry.workers import heartbeats
from exo_registry.workers.supervisor import Supervisor
from exo_registry.workers.watchdog import cluster_child

from ..base import BaseCommand

# A worker that is asked to stop ends its step first; what it does not end in time is requeued.
GRACE = 50.0


class Command(BaseCommand):
    help = (
        "Run task clusters until a signal, EXOWEB_WORKERS processes each. A cluster that stops, or that leaves tasks "
        "waiting, is restarted and the event log says so. Also reconciles runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(heartbeats.NAMES)
        parser.add_argument("clusters", nargs="*", type=cluster, metavar="CLUSTER", help=f"{names} (default: all).")

    def handle(self, **options: Any) -> None:
        children = [cluster_child(name) for name in options["clusters"] or heartbeats.NAMES]
        with Supervisor(children, self.stdout.write, patient=True, grace=GRACE) as supervisor:
            supervisor.run()


def cluster(text: str) -> str:
    """An argument that names a cluster."""
    if text not in heartbeats.NAMES:
        raise ArgumentTypeError(f"there is no cluster {text!r}: name {' or '.join(heartbeats.NAMES)}")
    return text
