"""What people do, as they do it: with a mouse, with the keyboard alone, and without scripts."""

import re

import pytest
from playwright.sync_api import expect

from exceptions_queue.models import ExceptionCase
from tests.browser.conftest import Opened
from tests.factories import PASSWORD
from tests.world import World

pytestmark = pytest.mark.browser


def test_an_analyst_signs_in_and_sees_the_thread_running(world: World, screen: Opened) -> None:
    page = screen("").go("/exceptions/?view=unassigned")
    expect(page).to_have_url(re.compile("/sign-in/"))
    page.get_by_label("User name").fill("priya")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/exceptions/\?view=unassigned$"))
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_filter_changes_list_counts_and_address_and_back_undoes_it(world: World, screen: Opened) -> None:
    page = screen().go("/exceptions/")
    everything = page.locator("#queue tbody tr").count()
    page.get_by_role("checkbox", name=re.compile("^tryton")).check()
    expect(page).to_have_url(re.compile("target=tryton"))
    expect(page.locator("#queue tbody tr")).to_have_count(ExceptionCase.objects.filter(target_system="tryton").count())
    expect(page.get_by_role("checkbox", name=re.compile("^tryton"))).to_be_focused()
    page.go_back()
    expect(page).to_have_url(re.compile("/exceptions/$"))
    expect(page.locator("#queue tbody tr")).to_have_count(everything)
    expect(page.get_by_role("checkbox", name=re.compile("^tryton"))).not_to_be_checked()


def test_two_cases_are_retried_with_the_keyboard_alone(world: World, screen: Opened) -> None:
    shown = screen()
    page = shown.go("/exceptions/?sort=age")
    for key in "jjxjx":
        page.keyboard.press(key)
    expect(page.locator(".bulk [data-n]")).to_have_text("2")
    chosen = [int(one) for one in page.locator("input.pick:checked").evaluate_all("all => all.map((one) => one.value)")]
    page.keyboard.press("r")
    expect(page.locator("#queue .notice")).to_be_visible()
    expect(page.locator("#live")).to_have_text(re.compile("exceptions? started again|2 not"))
    expect(page.locator("input.pick:checked")).to_have_count(2)  # the selection outlives the swap
    diaries = [[event.action for event in ExceptionCase.objects.get(pk=one).events.all()] for one in chosen]
    assert all("retried" in diary for diary in diaries)
    assert not shown.problems


def test_a_case_is_resolved_with_a_reason_from_the_keyboard(world: World, screen: Opened) -> None:
    shown = screen()
    page = shown.go("/exceptions/?cause=ERP_MANUAL_EDIT")
    page.keyboard.press("j")
    page.keyboard.press("e")
    dialog = page.get_by_role("dialog", name="Resolve the selected exceptions")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Resolve").click()
    expect(page.locator("#queue .notice.red")).to_contain_text("resolved with a reason")
    page.keyboard.press("e")
    dialog.get_by_label("Reason").fill("Changed back in Tryton")
    dialog.get_by_role("button", name="Resolve").click()
    expect(page.locator("#queue .notice.green")).to_contain_text("1 exception resolved.")
    case = ExceptionCase.objects.get(code="ERP_MANUAL_EDIT")
    assert (case.state, case.resolution, case.resolved_by) == ("RESOLVED", "Changed back in Tryton", "user:priya")
    assert not shown.problems


def test_space_shows_a_case_beside_the_list_and_escape_returns_the_focus(world: World, screen: Opened) -> None:
    page = screen().go("/exceptions/")
    page.keyboard.press("j")
    title = page.locator(":focus").inner_text()
    page.keyboard.press(" ")
    expect(page.locator("#peek h2")).to_have_text(title)
    expect(page).to_have_url(re.compile("open=EXC-"))
    page.keyboard.press("Escape")
    expect(page.locator("#peek")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("open="))
    expect(page.locator("#queue tr:first-child a.lead")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()


def test_single_keys_can_be_switched_off(world: World, screen: Opened) -> None:
    page = screen().go("/exceptions/")
    page.get_by_label("Priya Nair, account").click()
    page.get_by_role("button", name="Switch single keys off").click()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("j")
    expect(page.locator("#queue a.lead:focus")).to_have_count(0)


def test_slash_finds_a_document_by_any_id(world: World, screen: Opened) -> None:
    page = screen().go("/")
    page.keyboard.press("/")
    page.keyboard.type("INV-2026002")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="INV-2026002").first).to_be_visible()


def test_the_tabs_of_a_trace_live_in_the_address(world: World, screen: Opened) -> None:
    assert world.expansion is not None
    shown = screen()
    page = shown.go(f"/trace/{world.expansion.pk}/")
    page.locator("#tab-origin").click()
    expect(page.locator("#evidence pre")).to_contain_text("invoice.finalized")
    expect(page).to_have_url(re.compile("tab=origin"))
    page.keyboard.press("2")
    expect(page.locator("#evidence pre")).to_contain_text("revenue_treatment")
    expect(page).to_have_url(re.compile("tab=canonical"))
    page.reload()
    expect(page.locator("#tab-canonical")).to_have_attribute("aria-current", "true")
    page.locator("a.stage", has_text="Amendment").click()
    expect(page.locator("#evidence h2")).to_have_text("Contract version C-1001 v2")
    page.go_back()
    expect(page.locator("#evidence h2")).to_have_text("Posting attempt 1")
    assert not shown.problems


def test_the_theme_is_kept_without_a_flash(world: World, screen: Opened) -> None:
    page = screen(theme="light").go("/")
    page.get_by_role("button", name="Switch light or dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert 'data-theme="dark"' in page.request.get(page.url).text()


def test_without_scripts_lists_filter_and_single_actions_work(world: World, screen: Opened) -> None:
    page = screen(scripts=False).go("/exceptions/")
    page.get_by_role("checkbox", name=re.compile("^ERP_MANUAL_EDIT")).check()
    page.get_by_role("button", name="Apply filters").click()
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    page.locator("#queue a.lead").click()
    page.locator("summary", has_text="Resolve").click()
    page.get_by_label("Reason, kept in the diary").fill("Changed back")
    page.get_by_role("button", name=re.compile("^Resolve EXC-")).click()
    expect(page.locator(".notice.green")).to_contain_text("resolved")
    assert world.expansion is not None
    page.goto(page.url.split("/exceptions/")[0] + f"/trace/{world.expansion.pk}/")
    page.locator("#tab-response").click()
    expect(page.locator("#evidence pre")).to_contain_text("posted")


def test_a_letter_is_replayed_and_an_auditor_only_reads_why_not(world: World, screen: Opened) -> None:
    assert world.unreadable is not None
    page = screen("ines").go(f"/events/{world.unreadable.pk}/")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".notice.green")).to_contain_text("nothing is posted twice")
    page = screen("otto").go(f"/events/{world.unreadable.pk}/")
    expect(page.get_by_role("button", name="Replay")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("You may look, but not replay an event")


def test_a_trace_prints_with_its_journal(world: World, screen: Opened) -> None:
    assert world.expansion is not None
    page = screen().go(f"/trace/{world.expansion.pk}/")
    page.emulate_media(media="print")
    expect(page.locator(".side")).to_be_hidden()
    expect(page.get_by_role("heading", name="Journal")).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
