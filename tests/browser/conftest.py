"""A headless Chromium, and pages that may say nothing to its console."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.process import find_program, report_missing

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

Open = Callable[[Path], "playwright.Page"]  # type: ignore[name-defined]


@pytest.fixture(scope="session")
def browser() -> Iterator["playwright.Browser"]:  # type: ignore[name-defined]
    program = find_program("chromium", "chromium-browser", "google-chrome")
    with playwright.sync_playwright() as running:
        try:
            chromium = running.chromium.launch(
                executable_path=program,
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
        except playwright.Error as error:
            report_missing(f"{program} does not start: {error}")
        yield chromium
        chromium.close()


@pytest.fixture
def page_of(browser: "playwright.Browser") -> Iterator[Open]:  # type: ignore[name-defined]
    """Opens a file from disk; fails where it asks for anything or its console has an error."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, accept_downloads=True)
    said: list[str] = []
    asked: list[str] = []

    def open_page(path: Path) -> "playwright.Page":  # type: ignore[name-defined]
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    context.close()
    assert said == []
    assert all(url.startswith(("file:", "blob:")) for url in asked)
