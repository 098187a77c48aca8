"""What commands cost that compute nothing: processor seconds of their processes, on the demonstration, all computed.

    python benchmarks/bench_commands.py [--repeat 5]

The least of several runs counts. Python's own start is the first row; what is left of a command is imports, mostly.
Bytecode is cached, as where exoweb is installed.

Bar: `runexo --dry-run` under 1.0 s.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import report

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "manage.py runexo --dry-run": ["manage.py", "runexo", "--dry-run"],
    "manage.py exportexo XES_ContFut": ["manage.py", "exportexo", "XES_ContFut"],
    "manage.py exportregistry": ["manage.py", "exportregistry"],
    "manage.py check": ["manage.py", "check"],
}


def main() -> None:
    parser = report.arguments(__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="Runs of which the cheapest counts.")
    options = parser.parse_args()
    with report.empty_home() as environment, tempfile.TemporaryDirectory() as bytecode:
        report.manage("loaddemo", environment=environment)
        report.manage("runexo", "-B", "2018-01-01", environment=environment)
        environment |= {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        for command in COMMANDS.values():
            seconds(command, environment)  # writes the bytecode
        figures = {
            name: min(seconds(command, environment) for _ in range(options.repeat))
            for name, command in COMMANDS.items()
        }
    report.table(["command", "processor s"], [[name, figure] for name, figure in figures.items()])
    report.write("commands", figures, options.json)


def seconds(command: list[str], environment: Mapping[str, str]) -> float:
    """Processor seconds, of user and system, of one process and those that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], cwd=report.ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
