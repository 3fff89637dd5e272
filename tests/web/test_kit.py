"""The small parts pages are made of."""

import json

import pytest
from django.contrib.auth.models import User

from exceptions_queue.models import ExceptionCase
from finsync.core.lifecycle import STATES
from finsync.kit.badges import BADGES, badge_of
from finsync.kit.keyset import Order, page
from finsync.kit.masking import MASK, masked, masked_text, readable
from finsync.kit.permissions import Ability, Role, may
from finsync.kit.templatetags.finsync import code, money
from finsync.kit.wording import sla, tail
from tests.world import World


@pytest.mark.parametrize(
    ("minor", "currency", "mode", "text"),
    [
        (527671, "USD", "plain", "5,276.71"),
        (-1248000, "EUR", "paren", '<span class="vh">negative </span>(12,480.00)'),
        (919397, "EUR", "signed", "+9,193.97"),
        (-1, "USD", "signed", '<span class="vh">minus </span><span aria-hidden="true">−</span>0.01'),
        (482000, "JPY", "plain", '482,000<span class="pad0" aria-hidden="true">.00</span>'),
        (3, "KWD", "plain", "0.003"),
        (90071992547409931, "USD", "plain", "900,719,925,474,099.31"),
        (0, "USD", "signed", "0.00"),
    ],
)
def test_money_is_shown_from_whole_minor_units(minor: int, currency: str, mode: str, text: str) -> None:
    assert f'<span class="ccy">{currency}</span>{text}</span>' in money(minor, currency, mode)


def test_no_amount_is_an_en_dash_and_an_unknown_currency_is_not_guessed() -> None:
    assert "–" in money(None, "USD")
    assert "120 minor units" in money(120, "ZZZ")


@pytest.mark.parametrize(
    "value",
    [
        {"number": "4242424242424242"},
        {"a": [{"client_secret": "x"}]},
        {"Authorization": "Bearer abc"},
        {"n": 4242424242424242},
    ],
)
def test_secrets_and_card_numbers_are_masked_wherever_they_stand(value: object) -> None:
    text = json.dumps(masked(value))
    assert MASK in text
    assert "4242424242424242" not in text


def test_amounts_and_ids_are_not_taken_for_cards() -> None:
    kept = {"total": 571204, "id": "1234567890123", "reference": "fs4242abcd", "created": 1771027260}
    assert masked(kept) == kept


def test_cards_in_free_text_and_in_broken_bodies_are_masked() -> None:
    assert "4242" not in masked_text("paid with 4242 4242 4242 4242 today")
    assert "4242" not in readable(b'{"card": "4242424242424242", \xff')[0]


def test_a_deeply_nested_body_is_shown_and_breaks_nothing() -> None:
    text, value = readable(b"[" * 100_000)
    assert value is None
    assert "more characters are kept" in text


def test_code_escapes_what_came_from_outside() -> None:
    shown = code('{"a": "<script>alert(1)</script>"}\n<img src=x onerror=y>')
    assert "<script>" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("machine", ["posting", "case", "inbox", "fact", "run", "mapping"])
def test_every_state_has_its_own_word(machine: str) -> None:
    assert {state.value for state in STATES[machine]} <= set(BADGES[machine])


def test_an_unknown_state_is_neither_good_nor_bad() -> None:
    assert (badge_of("posting", "NEW_STATE").tone, badge_of("posting", "NEW_STATE").word) == ("", "New state")
    assert badge_of("attempt", "FOUND_2").word == "Found 2"


def test_business_keys_are_called_what_people_call_them() -> None:
    assert tail("invoice:US01:stripe:INV-2") == "INV-2"
    assert tail("contract:US01:C-1001:v2") == "C-1001 v2"
    assert tail("C-1") == "C-1"


def test_a_deadline_says_when_it_is_near_and_when_it_is_over(world: World) -> None:
    from datetime import timedelta

    assert sla(world.now + timedelta(hours=3, minutes=5), world.now) == ("3 h 05 m", "soon")
    assert sla(world.now - timedelta(hours=6), world.now) == ("Over by 6 h", "over")
    assert sla(world.now + timedelta(hours=11), world.now) == ("11 h", "")


@pytest.mark.parametrize("order", [Order("severity_score"), Order("opened_at", descending=False), Order("pk")])
def test_pages_there_and_back_hold_every_row_once(world: World, order: Order) -> None:
    rows = ExceptionCase.objects.all()
    expected = [row.pk for row in rows.order_by(*order.clause)]
    there, back, cursor = [], [], ""
    while True:
        found = page(rows, order, cursor, size=3)
        there += [row.pk for row in found.rows]
        if not found.next:
            break
        cursor = found.next
    while found.previous:
        found = page(rows, order, found.previous, size=3)
        back = [row.pk for row in found.rows] + back
    assert there == expected
    assert back == expected[: len(back)] and len(back) >= len(expected) - 3


def test_a_new_row_never_shifts_the_next_page(world: World) -> None:
    rows = ExceptionCase.objects.all()
    first = page(rows, Order("pk"), size=3)
    newest = first.rows[0]
    again = page(rows.exclude(pk=newest.pk), Order("pk"), first.next, size=3)
    assert [row.pk for row in again.rows] == [row.pk for row in page(rows, Order("pk"), first.next, size=3).rows]


@pytest.mark.parametrize("cursor", ["!", "eA", "W10", "bnVsbA", "x" * 5000, "W251bGwsbnVsbCxudWxsXQ"])
def test_an_unreadable_cursor_is_the_first_page(world: World, cursor: str) -> None:
    rows = ExceptionCase.objects.all()
    assert page(rows, Order("pk"), cursor).rows == page(rows, Order("pk")).rows


def test_an_inactive_person_may_do_nothing(world: World) -> None:
    person = User.objects.get(username="sofia")
    assert may(person, Ability.RECONCILE)
    person.is_active = False
    assert not may(person, Ability.RECONCILE)


def test_auditors_hold_no_ability(world: World) -> None:
    assert not [ability for ability in Ability if may(world.people["otto"], ability)]
    assert Role.AUDITOR.title == "Auditor"
