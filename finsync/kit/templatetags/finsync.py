"""Template tags of the whole site: icons, money, times, states, small charts and stored bodies.

Money has exactly one way onto a page: ``{% money minor "USD" %}``, from whole minor units, never from a float.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import heroicons
from django import template
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from finsync.core.money import Money, UnknownCurrency, exponent
from finsync.core.reasons import Owner
from finsync.kit import drawing, wording
from finsync.kit.badges import badge_of
from finsync.kit.facets import COUNTED_MAX
from finsync.kit.permissions import Ability, may, why_not

register = template.Library()

CODE_LINES_MAX = 400
_TOKENS = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(\btrue\b|\bfalse\b|\bnull\b)')
_PRIORITY_WORDS = {"P1": "Critical", "P2": "High", "P3": "Medium", "P4": "Low"}


@lru_cache(maxsize=512)
def _icon(name: str, size: int, style: str) -> SafeString:
    return mark_safe(heroicons._render_icon(style, name, size, {"aria-hidden": "true"}))  # noqa: S308  (package data)


@register.simple_tag
def icon(name: str, size: int = 16, style: str = "micro") -> SafeString:
    """Show a heroicon; purely decorative, the word stands beside it."""
    return _icon(name, size, style)


# ---- money -----------------------------------------------------------------------------------------------------


@register.simple_tag
def money(minor: int | Money | None, currency: str = "", mode: str = "plain", code: bool = True) -> SafeString:
    """Show an amount of whole minor units. None is an en dash.

    ``mode``: plain (a magnitude), paren (ledger: negatives in parentheses), signed (a change or variance).
    ``code`` False drops the currency code where the column's head names it.
    """
    if isinstance(minor, Money):
        minor, currency = minor.minor, minor.currency
    if minor is None or not currency:
        return mark_safe('<span class="mut">–</span>')
    try:
        places = exponent(currency)
    except UnknownCurrency:  # a row may hold a code no list knows; its figure is shown as stored, and says so
        return format_html('<span class="money"><span class="ccy">{}</span>{} minor units</span>', currency, minor)
    text = f"{abs(Money(int(minor), currency)).major:,f}"
    classes, body = ["money"], format_html("{}", text)
    if places == 0:
        body = format_html('{}<span class="pad0" aria-hidden="true">.00</span>', text)
    if mode == "paren" and minor < 0:
        body = format_html('<span class="vh">negative </span>({})', body)
    elif mode == "paren":
        classes.append("pos")
    elif minor < 0:
        body = format_html('<span class="vh">minus </span><span aria-hidden="true">−</span>{}', body)
    elif mode == "signed" and minor > 0:
        body = format_html("+{}", body)
    classes += (["zero"] if minor == 0 else []) + (["d3"] if places == 3 else [])
    shown = format_html('<span class="ccy">{}</span>', currency) if code else ""
    return format_html('<span class="{}">{}{}</span>', " ".join(classes), shown, body)


@register.filter
def amount_of(value: Any) -> Money | None:
    """Return the Money a stored record holds as ``{"minor", "currency"}``, None for anything else."""
    if isinstance(value, dict) and set(value) == {"minor", "currency"}:
        return Money(int(value["minor"]), str(value["currency"]))
    return None


# ---- time ------------------------------------------------------------------------------------------------------


@register.simple_tag
def instant(at: datetime | None, form: str = "minute") -> SafeString:
    """Show an instant in UTC; ``form``: minute, second, clock (to the millisecond), day."""
    if at is None:
        return mark_safe('<span class="mut">–</span>')
    utc = at.astimezone(UTC)
    text = {
        "minute": wording.minute,
        "second": wording.moment,
        "clock": lambda t: f"{t:%H:%M:%S}.{t.microsecond // 1000:03d}",
        "day": lambda t: f"{t.day} {t:%b %Y}",
    }[form](utc)
    return format_html('<time datetime="{}">{}</time>', utc.isoformat(timespec="milliseconds"), text)


@register.simple_tag
def age(at: datetime | None, suffix: str = "") -> SafeString:
    """Show how long ago something was, with the instant behind it."""
    if at is None:
        return mark_safe('<span class="mut">never</span>')
    return format_html(
        '<time datetime="{}" title="{}">{}{}</time>',
        at.isoformat(timespec="seconds"),
        wording.moment(at),
        wording.span(timezone.now() - at),
        suffix,
    )


@register.simple_tag
def sla(due: datetime | None, state: str = "") -> SafeString:
    """Show what is left of a deadline: amber under four hours, red when it is over, paused while snoozed."""
    if state == "RESOLVED":
        return mark_safe('<span class="mut">–</span>')
    words, tone = wording.sla(due, timezone.now(), paused=state == "SNOOZED")
    return format_html('<span class="sla {}">{}</span>', tone, words)


@register.filter
def span(length: timedelta | None) -> str:
    """A length of time in its two largest units."""
    return wording.span(length) if length is not None else "–"


@register.filter
def seconds(count: float | Decimal | None) -> str:
    """A number of seconds as a length of time, an en dash for none."""
    return wording.milliseconds(int(count * 1000)) if count is not None else "–"


@register.filter
def until(start: datetime, end: datetime | None) -> str:
    """How long it took from one instant to another, an en dash while it lasts."""
    return wording.milliseconds(int((end - start).total_seconds() * 1000)) if end is not None else "–"


@register.filter
def ms(count: int | None) -> str:
    """A duration measured in milliseconds, in words."""
    return wording.milliseconds(count)


# ---- states ----------------------------------------------------------------------------------------------------


@register.simple_tag
def badge(kind: str, state: str | None) -> SafeString:
    """Show a state: shape, word and colour."""
    shown = badge_of(kind, state)
    return format_html('<span class="badge {}">{}{}</span>', shown.tone, _icon(shown.icon, 12, "micro"), shown.word)


@register.simple_tag
def state_icon(kind: str, state: str | None) -> SafeString:
    """Show only the shape of a state, for a row that has its word elsewhere."""
    return _icon(badge_of(kind, state).icon, 14, "micro")


@register.filter
def state_word(state: str | None, kind: str) -> str:
    """The word of a state."""
    return badge_of(kind, state).word


@register.simple_tag
def sev(priority: str, label: bool = True) -> SafeString:
    """Show a severity as four bars and its word."""
    word = _PRIORITY_WORDS.get(priority, priority)
    return format_html(
        '<span class="sev {}">{}<span class="{}">{}</span></span>',
        word.lower(),
        drawing.severity_bars(priority),
        "" if label else "vh",
        word,
    )


@register.filter
def counted(number: int, most: int = COUNTED_MAX) -> str:
    """A count that stops somewhere: 1,284, or 10,000+ where it was cut off at ``most``."""
    return f"{most:,}+" if number > most else f"{number:,}"


@register.filter
def desk(code: str) -> str:
    """The name of an owner queue."""
    return Owner(code).desk if code in Owner.__members__ else code


@register.filter
def initials(person: AbstractBaseUser | None) -> str:
    """Two letters for a person, an en dash for nobody."""
    if person is None:
        return "–"
    names = (getattr(person, "first_name", "")[:1] + getattr(person, "last_name", "")[:1]) or person.get_username()[:2]
    return names.upper()


@register.filter
def person_name(person: AbstractBaseUser | None) -> str:
    """A person's full name, or the user name."""
    if person is None:
        return "Unassigned"
    full = getattr(person, "get_full_name", str)()
    return full or person.get_username()


@register.filter
def actor(name: str) -> str:
    """Who acted, for people: ``user:ada`` as ada, ``system:dispatch`` as finsync, dispatch."""
    kind, _, rest = name.partition(":")
    return f"finsync, {rest}" if kind == "system" and rest else rest or name


@register.filter
def tail(key: str) -> str:
    """What a person calls a business key."""
    return wording.tail(key)


@register.filter
def sentence(text: str) -> str:
    """A text that ends with exactly one full stop."""
    return f"{text.rstrip().rstrip('.')}." if text.strip() else ""


@register.filter
def plain(code: str) -> str:
    """A code as words."""
    return wording.plain(code)


# ---- charts ----------------------------------------------------------------------------------------------------


@register.simple_tag
def spark(points: Sequence[int | None], label: str, bad: bool = False) -> SafeString:
    """Show a line of figures over time."""
    return drawing.spark(points, label, bad=bad)


@register.simple_tag
def stackbar(parts: Sequence[tuple[str, int]], whole: int) -> SafeString:
    """Show a bar of (fill, count) parts as shares of ``whole``."""
    return drawing.stacked(parts, whole)


@register.simple_tag
def bars(columns: Sequence[tuple[int, int]], label: str) -> SafeString:
    """Show columns of (good, bad) counts over time."""
    return drawing.columns(columns, label)


@register.simple_tag
def steps(reached: int, whole: int, tone: str) -> SafeString:
    """Show how many of the steps are reached."""
    return drawing.steps(reached, whole, tone)


# ---- stored bodies ---------------------------------------------------------------------------------------------


@register.simple_tag
def code(text: str) -> SafeString:
    """Show text with line numbers; JSON words are coloured. Longer than ``CODE_LINES_MAX`` lines is cut and says so."""
    lines = text.split("\n")
    shown = "".join(f"<span>{_coloured(line)}</span>" for line in lines[:CODE_LINES_MAX])
    if len(lines) > CODE_LINES_MAX:
        shown += f'<span class="mut">… {len(lines) - CODE_LINES_MAX:,} more lines are kept</span>'
    return mark_safe(shown)  # noqa: S308  (every piece went through escape)


@register.filter
def pretty(value: Any) -> str:
    """JSON values as indented text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _coloured(line: str) -> str:
    parts, at = [], 0
    for hit in _TOKENS.finditer(line):
        parts.append(escape(line[at : hit.start()]))
        text, colon, number, word = hit.groups()
        if text is not None:
            parts.append(f'<b class="{"k" if colon else "s"}">{escape(text)}</b>{escape(colon or "")}')
        else:
            parts.append(f'<b class="d">{escape(number or word)}</b>')
        at = hit.end()
    return "".join([*parts, escape(line[at:])])


# ---- permission ------------------------------------------------------------------------------------------------


@register.filter
def may_do(user: Any, ability: str) -> bool:
    """Whether a person may do something, by the ability's name."""
    return may(user, Ability[ability])


@register.filter
def why_not_do(ability: str) -> str:
    """Which roles could do it, for a person who may not."""
    return why_not(Ability[ability])
