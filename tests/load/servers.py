"""A PostgreSQL and a Redis of our own, on free ports and in a temporary folder, that may be killed and restarted."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_folder() -> Path | None:
    """Where initdb is; None on a machine without PostgreSQL's server."""
    places = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    return next((Path(place).parent for place in reversed(places) if place), None)


class Postgres:
    """A server with one database, trusted connections and little care for the disk."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.folder, self.port = postgres_folder(), folder / "postgres", free_port()
        self.folder.mkdir()
        os.chmod(folder, 0o755)
        # PostgreSQL refuses to run as root.
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self._call("initdb", "-D", self.folder, "-U", "postgres", "-A", "trust", "--no-sync")
        self.start()
        self._call("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "exoweb")

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/exoweb"

    def _call(self, program: str, *arguments: object) -> None:
        command = [*self.as_user, str(self.bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._call("pg_ctl", "-D", self.folder, "-l", self.folder / "log", "-w", "-o", options, "start")

    def restart(self, mode: str) -> None:
        """mode: fast ends every connection, immediate crashes."""
        self.stop(mode)
        self.start()

    def stop(self, mode: str = "immediate") -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._call("pg_ctl", "-D", self.folder, "-w", "-m", mode, "stop")


class Redis:
    """A server that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.process = folder, free_port(), None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("redis-server does not start")

    def restart(self, pause: float) -> None:
        """Lose everything, and stay away for `pause` seconds."""
        self.stop()
        time.sleep(pause)
        self.start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
