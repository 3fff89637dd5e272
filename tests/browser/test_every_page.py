"""Every page in both themes and at both widths: accessible, quiet, at home, and no wider than its window."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from reconciliation.models import Cell
from tests.browser.conftest import Opened
from tests.world import World

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROW = 320
# A controller sees every button there is, an auditor the sentences that stand in for them.
READERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sofia", ()),
    ("otto", ("exceptions", "exception", "trace, refused", "reconciliation", "event")),
)


def pages(world: World) -> dict[str, str]:
    assert world.expansion and world.refused and world.unreadable
    cell = Cell.objects.get(verdict="VARIANCE")
    tax = world.cases["tax"].label
    drill = f"/reconciliation/runs/{cell.run_id}/{cell.entity}/{cell.currency}/"
    return {
        "home": "/",
        "exceptions": "/exceptions/",
        "exceptions, one beside": f"/exceptions/?open={tax}",
        "exceptions, none": "/exceptions/?q=no-such-thing",
        "exceptions, resolved": "/exceptions/?view=resolved",
        "exception": f"/exceptions/{tax}/",
        "transactions": "/transactions/",
        "trace": f"/trace/{world.expansion.pk}/",
        "trace, refused": f"/trace/{world.refused.pk}/?level=every&tab=response",
        "trace, fields": f"/trace/{world.expansion.pk}/?tab=fields",
        "reconciliation": "/reconciliation/",
        "reconciliation, cell": drill,
        "reconciliation, all items": f"{drill}?show=all",
        "connections": "/connections/",
        "connection": "/connections/revenue-engine/",
        "events": "/events/",
        "event": f"/events/{world.unreadable.pk}/",
        "mappings": "/mappings/",
        "mapping, rules": "/mappings/rules:invoice.issued/?row=R010",
        "mapping, set": "/mappings/set:tax_payable/",
        "search": "/search/?q=Meridian",
        "search, nothing": "/search/?q=no-such-thing",
    }


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_quiet_and_at_home(world: World, screen: Opened, theme: str, width: int) -> None:
    found = []
    for username, only in READERS:
        shown = screen(username, width=width, theme=theme)
        for name, path in pages(world).items():
            if only and name not in only:
                continue
            page = shown.go(path)
            violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
            found += [f"{name} for {username}: {one['id']} {one['nodes'][0]['html'][:140]}" for one in violations]
            found += [f"{name} for {username}: {problem}" for problem in shown.problems + shown.strangers]
            shown.problems.clear()
            shown.strangers.clear()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_for_people_without_a_session_are_accessible(world: World, screen: Opened, theme: str) -> None:
    shown = screen("", width=390, theme=theme)
    found = []
    for path in ("/sign-in/", "/nothing-here/"):
        page = shown.go(path)
        violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        found += [f"{path}: {one['id']} {one['nodes'][0]['html'][:140]}" for one in violations]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [NARROW, 720, 1440])
def test_no_page_scrolls_sideways(world: World, screen: Opened, width: int) -> None:
    shown = screen("sofia", width=width)
    wide = {}
    for name, path in pages(world).items():
        over = shown.go(path).evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over:
            wide[name] = over
    assert not wide


def test_the_checks_bite(world: World, screen: Opened) -> None:
    shown = screen("sofia")
    page = shown.go("/")
    page.evaluate("document.querySelector('h1').style.setProperty('color', '#ddd')")
    violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    assert [one["id"] for one in violations] == ["color-contrast"]
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.broke = 1'}))"
    )
    assert page.evaluate("window.broke") is None
    assert any("Content Security Policy" in problem for problem in shown.problems)
