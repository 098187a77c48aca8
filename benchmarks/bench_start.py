"""From an empty home to the first chart, and the second time: what `make run` takes when everything is installed.

    python benchmarks/bench_start.py

Bar: below 90 s on 2 cores.
"""

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import report


def chart(address: str, password: str) -> int:
    """Logs in as a browser does and gives the number of points of one chart."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    login = f"{address}accounts/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', opener.open(login).read().decode())[1]
    fields = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
    request = urllib.request.Request(login, urllib.parse.urlencode(fields).encode(), {"Referer": login})
    opener.open(request).read()
    opener.open(f"{address}series/XES_ContFut/").read()
    return len(json.load(opener.open(f"{address}series/XES_ContFut/chart.json"))["points"]["date"])


def start(home: str) -> tuple[float, int]:
    """Seconds until the chart was there, and its points."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "start", "--port", "8300"],
        cwd=report.ROOT,
        env={**os.environ, "EXOWEB_HOME": home},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        text = ""
        while "Ctrl-C" not in text:
            if not (line := process.stdout.readline()):
                sys.exit(f"manage.py start ended early:\n{text}")
            text += line
        address, password = re.search(r"http://\S+", text)[0], re.search(r"password +(\S+)", text)[1]
        points = chart(address, password)
        return time.perf_counter() - began, points
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def main() -> None:
    options = report.arguments(__doc__).parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as home:
        for which in ("first", "second"):
            seconds, points = start(home)
            figures[which] = {"seconds": seconds, "points": points}
    rows = [[which, *measured.values()] for which, measured in figures.items()]
    report.table(["start", "s to a chart", "points"], rows)
    report.write("start", figures, options.json)


if __name__ == "__main__":
    main()
