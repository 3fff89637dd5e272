"""The company behind a live server, and pages of a real browser that report everything that went wrong on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.world import World, build

pytestmark = pytest.mark.browser
expect.set_options(timeout=10_000)


@dataclass
class Screen:
    """One page with what it complained about: console lines, and requests that left the host."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path of the site."""
        self.page.goto(self.address + path)
        return self.page


Opened = Callable[..., Screen]


@pytest.fixture
def world(transactional_db: None) -> World:
    """The company with three customers' documents, committed so that the live server sees it."""
    return build(customers=3)


@pytest.fixture
def screen(world: World, live_server: object, browser: Browser) -> Iterator[Opened]:
    """Call with a user name, a width and a theme to get a page that has signed in."""
    contexts: list[BrowserContext] = []
    address = str(live_server)

    def make(username: str = "priya", width: int = 1440, theme: str = "light", scripts: bool = True) -> Screen:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            java_script_enabled=scripts,  # type: ignore[arg-type]
        )
        contexts.append(context)
        if username:
            client = Client()
            client.force_login(world.people[username])
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
        shown = Screen(context.new_page(), address)
        shown.page.on("console", lambda line: line.type in ("error", "warning") and shown.problems.append(line.text))
        shown.page.on("pageerror", lambda error: shown.problems.append(str(error)))
        shown.page.on("request", lambda request: _note(shown, request.url))
        return shown

    yield make
    for context in contexts:
        context.close()


def _note(shown: Screen, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.netloc != urlsplit(shown.address).netloc:
        shown.strangers.append(url)
