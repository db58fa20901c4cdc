"""The pages, made from the committed results as the DAG makes them, in a real browser: the system's own chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pages_helpers
from pages_helpers import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LINKED = ("claims", "data", "docs", "src", "workflow", "params.yaml", "README.md")


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """results/site beside the results that it shows, as links: nothing in the checkout is written to."""
    top = tmp_path_factory.mktemp("site")
    (top / "results/site").mkdir(parents=True)
    for name in LINKED:
        (top / name).symlink_to(ROOT / name)
    for path in (ROOT / "results").iterdir():
        if path.name != "site":
            (top / "results" / path.name).symlink_to(path)
    pages_helpers.make(top / "results/site")
    return top / "results/site"


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here: {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        # A container has no sandbox for it, and little shared memory.
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        running = started.chromium.launch(executable_path=path, args=flags)
        yield running
        running.close()


@pytest.fixture
def opened(browser, site):
    """Opens a page; what it asks for and complains about is in `page.asked` and `page.complaints`."""
    contexts = []

    def open_page(name: str, folder: Path = site, width: int = 1440, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("requestfailed", lambda request: page.complaints.append(f"failed: {request.url}"))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append(dialog.message), dialog.dismiss()))
        file, _, rest = name.partition(".html")
        page.goto((folder / f"{file}.html").as_uri() + rest)
        return page

    yield open_page
    for context in contexts:
        context.close()
