"""A real Chromium on a live server. A test fails if the browser's console had an error."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.paths import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30_000  # milliseconds, for a machine that is busy with other things
expect.set_options(timeout=PATIENCE)  # its own is 5 s, whatever the page's is


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium: install it (Debian: apt-get install chromium)"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright runs an event loop in this thread; the ORM is used here between its calls, never within one.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, live_server) -> Iterator[Page]:
    """A fresh page; `page.goto("/")` is relative to the live server."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    shown = list(errors)  # what closing the page cuts short is none of its errors
    context.close()
    _wait_for_requests_to_end()
    assert not shown, f"the browser's console had errors: {shown}"


def _wait_for_requests_to_end() -> None:
    """Let the server end what the browser had asked for last: on PostgreSQL a request that still reads while the tables
    are emptied is a deadlock. The server has a thread for each connection, and the closed browser keeps none open.
    """
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(PATIENCE / 1000)
            assert not thread.is_alive(), "the live server has not ended a request of the closed browser"


@pytest.fixture
def log_in(page) -> Callable[[str], Page]:
    """`log_in("vera")`: through the form, as a person does."""

    def log_in(name: str) -> Page:
        page.goto("/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(f"{name}-password")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Book").wait_for()
        return page

    return log_in


@pytest.fixture
def hold(page) -> Callable[[str], Callable[[], None]]:
    """`release = hold("**/admin.js")`: keep a file from arriving, as over a slow line, until `release()`."""

    def hold(pattern: str) -> Callable[[], None]:
        held: list[Route] = []
        page.route(pattern, lambda route: held.append(route))  # a builtin takes none of its attributes

        def release() -> None:
            for route in held:
                route.continue_()
            page.unroute(pattern)

        return release

    return hold


@pytest.fixture
def worker(child_env) -> Iterator[Callable[[], subprocess.Popen]]:
    """`worker()`: a backfill worker process on the test's database, ended after the test."""
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        command = [sys.executable, "manage.py", "qcluster"]
        environment = child_env(EXOWEB_WORKERS=1, Q_CLUSTER_NAME="backfill")
        process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
