"""What the pages show, and what they refuse."""

import re

import pytest

from exceptions_queue.models import ExceptionCase
from finsync.audit.services import recording
from tests.web.conftest import SignedIn
from tests.world import World

ADDRESSES = (
    "/",
    "/exceptions/",
    "/transactions/",
    "/reconciliation/",
    "/connections/",
    "/events/",
    "/mappings/",
    "/search/?q=x",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_asks_for_a_sign_in_and_comes_back(world: World, client: object, address: str) -> None:
    answer = client.get(address)  # type: ignore[attr-defined]
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=")


def test_a_fragment_asked_for_after_the_session_ended_moves_the_whole_page(world: World, client: object) -> None:
    headers = {"hx-request": "true", "hx-target": "queue", "hx-current-url": "http://testserver/exceptions/?view=mine"}
    answer = client.get("/exceptions/", headers=headers)  # type: ignore[attr-defined]
    assert answer["HX-Redirect"] == "/sign-in/?next=%2Fexceptions%2F%3Fview%3Dmine"


def test_a_page_that_is_not_there_shows_strangers_no_counts(world: World, client: object) -> None:
    answer = client.get("/nothing-here/")  # type: ignore[attr-defined]
    assert answer.status_code == 404
    assert b"Exceptions" not in answer.content


def test_the_trace_shows_both_amounts_of_the_refused_amendment(world: World, signed_in: SignedIn) -> None:
    assert world.expansion is not None
    text = signed_in().get(f"/trace/{world.expansion.pk}/").content.decode()
    assert "Expected USD 17,276.71" in text
    assert re.search(r'<span class="ccy">USD</span>12,000.00', text)
    assert world.cases["refused"].label in text
    assert "Balanced" in text


def test_every_account_of_a_journal_names_its_rule_and_mapping_row(world: World, signed_in: SignedIn) -> None:
    assert world.expansion is not None
    text = signed_in().get(f"/trace/{world.expansion.pk}/").content.decode()
    assert "/mappings/rules:invoice.issued/?version=1&amp;row=R010" in text
    assert "/mappings/set:tax_payable/?version=1&amp;row=T3" in text


def test_card_numbers_never_reach_a_page(world: World, signed_in: SignedIn) -> None:
    assert world.expansion is not None
    client = signed_in()
    trace = client.get(f"/trace/{world.expansion.pk}/?tab=origin").content.decode()
    letter = client.get(f"/events/{world.expansion.change.origin}/").content.decode()
    assert "4242424242424242" not in trace + letter
    assert (
        trace.count("(masked)") == letter.count("(masked)") - 1 == 1
    )  # the letter's page shows a signature header too


def test_an_unreadable_letter_is_shown_as_it_came(world: World, signed_in: SignedIn) -> None:
    assert world.unreadable is not None
    text = signed_in().get(f"/events/{world.unreadable.pk}/").content.decode()
    assert "ING_UNREADABLE" in text
    assert "\ufffd" in text


@pytest.mark.parametrize(
    "asked",
    [
        "INV-2026002",
        "C-1001",
        "pi_0",
        "cor-0-2",
        "US01-00002",
        "Meridian",
        "RS-C-1001",
        "A-2",
        "in_02",
        "evt_in_02",
    ],
)
def test_any_id_finds_its_thread(world: World, signed_in: SignedIn, asked: str) -> None:
    answer = signed_in().get("/search/", {"q": asked}, follow=True)
    assert answer.status_code == 200
    assert "Nothing carries this id" not in answer.content.decode()


def test_an_exception_is_found_by_its_number(world: World, signed_in: SignedIn) -> None:
    label = world.cases["tax"].label
    assert f"/exceptions/{label}/" in signed_in().get("/search/", {"q": label.lower()}).content.decode()


def test_our_own_reference_opens_the_trace_at_once(world: World, signed_in: SignedIn) -> None:
    assert world.expansion is not None
    answer = signed_in().get("/trace/", {"q": world.expansion.external_ref})
    assert answer["Location"] == f"/trace/{world.expansion.pk}/"


def test_a_resolved_case_is_found_under_resolved(world: World, signed_in: SignedIn) -> None:
    label = world.cases["unknown"].label
    client = signed_in()
    answer = client.post(
        f"/exceptions/{label}/act/", {"do": "resolve", "reason": "Customer created in Tryton", "next": "/exceptions/"}
    )
    assert (answer.status_code, answer["Location"]) == (303, "/exceptions/")
    case = ExceptionCase.objects.get(pk=world.cases["unknown"].pk)
    assert (case.state, case.resolved_by, case.resolution) == ("RESOLVED", "user:priya", "Customer created in Tryton")
    assert label in client.get("/exceptions/?view=resolved").content.decode()


def test_a_case_changed_meanwhile_is_not_overwritten(world: World, signed_in: SignedIn) -> None:
    label = world.cases["unknown"].label
    client = signed_in()
    answer = client.post(f"/exceptions/{label}/act/", {"do": "take", "version": "99"}, follow=True)
    assert "changed by somebody else" in answer.content.decode()


def test_a_case_is_not_resolved_without_a_reason(world: World, signed_in: SignedIn) -> None:
    label = world.cases["unknown"].label
    answer = signed_in().post(f"/exceptions/{label}/act/", {"do": "resolve", "reason": " "}, follow=True)
    assert "resolved with a reason" in answer.content.decode()
    assert ExceptionCase.objects.get(pk=world.cases["unknown"].pk).state != "RESOLVED"


def test_a_bulk_action_reaches_the_whole_filter_and_says_how_many(world: World, signed_in: SignedIn) -> None:
    values = {"do": "assign", "person": "tomas", "all": "1", "query": "view=all&cause=BIL_PRORATION_VARIANCE"}
    answer = signed_in().post("/exceptions/bulk/", values, follow=True)
    assert "3 exceptions assigned." in answer.content.decode()
    assert ExceptionCase.objects.filter(assignee__username="tomas", code="BIL_PRORATION_VARIANCE").count() == 3


def test_a_bulk_retry_says_what_could_not_be_started(world: World, signed_in: SignedIn) -> None:
    row = world.cases["tax"].occurrences.first()
    with recording("test"):
        world.cases["tax"].occurrences.update(subject_type="unknown room")
    answer = signed_in().post("/exceptions/bulk/", {"do": "retry", "id": [world.cases["tax"].pk]}, follow=True)
    assert row is not None
    assert "0 exceptions started again. 1 not:" in answer.content.decode()


def test_a_return_address_of_another_site_is_ignored(world: World, signed_in: SignedIn) -> None:
    label = world.cases["unknown"].label
    answer = signed_in().post(f"/exceptions/{label}/act/", {"do": "take", "next": "https://evil.example/"})
    assert answer["Location"] == f"/exceptions/{label}/"


@pytest.mark.parametrize(
    ("username", "address", "allowed"),
    [
        ("otto", "/exceptions/bulk/", False),
        ("dana", "/exceptions/bulk/", False),
        ("priya", "/exceptions/bulk/", True),
        ("ines", "/exceptions/bulk/", True),
        ("otto", "/events/{letter}/replay/", False),
        ("ines", "/events/{letter}/replay/", True),
        ("otto", "/transactions/{posting}/retry/", False),
        ("priya", "/reconciliation/run/", False),
        ("sofia", "/reconciliation/run/", True),
    ],
)
def test_only_the_roles_named_may_act(
    world: World, signed_in: SignedIn, username: str, address: str, allowed: bool
) -> None:
    assert world.unreadable and world.refused
    answer = signed_in(username).post(
        address.format(letter=world.unreadable.pk, posting=world.refused.pk), {"control": "R4"}
    )
    assert answer.status_code == (303 if allowed else 403)
    if not allowed:
        assert "That takes one of these roles" in answer.content.decode()


def test_an_auditor_sees_why_there_is_no_button(world: World, signed_in: SignedIn) -> None:
    text = signed_in("otto").get(f"/exceptions/{world.cases['tax'].label}/").content.decode()
    assert "You may look, but not work on exceptions." in text
    assert 'name="do"' not in text


def test_the_theme_comes_with_the_first_byte(world: World, signed_in: SignedIn) -> None:
    client = signed_in()
    client.post("/preferences/", {"fs_theme": "dark"})
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    assert client.post("/preferences/", {"fs_theme": "<script>"}).status_code == 400


def test_choosing_an_entity_narrows_every_list(world: World, signed_in: SignedIn) -> None:
    client = signed_in()
    client.post("/preferences/", {"fs_entity": "DE01"})
    text = client.get("/transactions/").content.decode()
    assert "US01" not in text.split('id="rows"')[1]
    assert "DE01" in text.split('id="rows"')[1]


def test_demo_accounts_are_named_only_where_the_environment_is_labelled(
    world: World, client: object, settings: object
) -> None:
    assert b"Demo accounts" not in client.get("/sign-in/").content  # type: ignore[attr-defined]
    settings.ENVIRONMENT_LABEL = "Demo"  # type: ignore[attr-defined]
    text = client.get("/sign-in/").content.decode()  # type: ignore[attr-defined]
    assert "priya" in text and "Integration admin" in text


def test_no_page_carries_inline_style_or_script(world: World, signed_in: SignedIn) -> None:
    client = signed_in("sofia")
    pages = [*ADDRESSES, f"/trace/{world.expansion.pk}/", f"/exceptions/{world.cases['tax'].label}/"]  # type: ignore[union-attr]
    for page in pages:
        text = client.get(page).content.decode()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=", text), page


def test_a_failed_page_gives_a_reference_and_asks_no_database(rf: object, caplog: pytest.LogCaptureFixture) -> None:
    from finsync.web.views import failed

    answer = failed(rf.get("/broken/"))  # type: ignore[attr-defined]
    reference = re.search(r"<code>([0-9a-f]{8})</code>", answer.content.decode())
    assert answer.status_code == 500
    assert reference and reference.group(1) in caplog.text
