"""`manage.py workers`: the task clusters of this machine, watched and started again when they stop or freeze."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from exo_registry import clusters
from exo_registry.cluster_watch import cluster_child
from exo_registry.supervisor import Supervisor

# A worker that is told to stop ends its step first; what it does not end in time is taken up by another.
GRACE = 50.0


class Command(BaseCommand):
    help = (
        "Run task clusters until a signal, EXOWEB_WORKERS processes each. A cluster that stops, or that leaves tasks "
        "waiting, is started again and the event log says so. Also reconciles runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(clusters.NAMES)
        parser.add_argument("clusters", nargs="*", type=cluster, metavar="CLUSTER", help=f"{names} (default: all).")

    def handle(self, **options: Any) -> None:
        children = [cluster_child(name) for name in options["clusters"] or clusters.NAMES]
        with Supervisor(children, self.stdout.write, patient=True, grace=GRACE) as supervisor:
            supervisor.run()


def cluster(text: str) -> str:
    """An argument that names a cluster."""
    if text not in clusters.NAMES:
        raise ArgumentTypeError(f"there is no cluster {text!r}: name {' or '.join(clusters.NAMES)}")
    return text
