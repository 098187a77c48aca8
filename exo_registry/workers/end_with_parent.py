"""Runs a command that ends, with all that it starts, when the process that started it is gone, however that went.

    python -I -S end_with_parent.py COMMAND ARGUMENT…

Standard input is a pipe whose other end the starting process alone holds, and this process leads a process group. A
fork of it waits for the end of that pipe, which comes even with SIGKILL, and then kills the group; the process itself
becomes the command, which keeps its number, its signals and its exit status. It needs nothing but POSIX and the
standard library, and nothing of the command: one that is stuck or stopped ends as well.
"""

import os
import signal
import sys


def main(command: list[str]) -> None:
    if os.fork() == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # meant for the command, which may take its time
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
