"""Small charts as SVG with attributes only: the content security policy allows no inline style."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

SPARK_WIDTH, SPARK_HEIGHT = 120, 22
SEVERITY_BARS = {"P1": 4, "P2": 3, "P3": 2, "P4": 1}


def severity_bars(priority: str) -> SafeString:
    """Return the four-bar signal of a priority P1 to P4."""
    lit = SEVERITY_BARS.get(priority, 1)
    bars = (
        ("on" if i < lit else "off", f"{0.8 + i * 3.3:.1f}", f"{9.6 - i * 2.6:.1f}", f"{3.4 + i * 2.6:.1f}")
        for i in range(len(SEVERITY_BARS))
    )
    return format_html(
        '<svg viewBox="0 0 14 14" aria-hidden="true">{}</svg>',
        format_html_join("", '<rect class="{}" x="{}" y="{}" width="2.4" height="{}" rx=".8"/>', bars),
    )


def spark(points: Sequence[int | None], label: str, *, bad: bool = False) -> SafeString:
    """Return a line of figures over time; gaps (None) count as the figure before."""
    known: list[int] = []
    for point in points:
        known.append(point if point is not None else (known[-1] if known else 0))
    low, high = min(known, default=0), max(known, default=0)
    step = SPARK_WIDTH / max(len(known) - 1, 1)
    reach = (high - low) or 1
    path = " L".join(
        f"{i * step:.1f} {SPARK_HEIGHT - 2.5 - (value - low) / reach * (SPARK_HEIGHT - 5):.1f}"
        for i, value in enumerate(known)
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="ln{}" d="M{}"/></svg>',
        SPARK_WIDTH,
        SPARK_HEIGHT,
        label,
        " bad" if bad else "",
        path,
    )


def stacked(parts: Sequence[tuple[str, int]], whole: int, width: int = 200, height: int = 10) -> SafeString:
    """Return one horizontal bar of (fill class, count) parts, as long as its share of ``whole``."""
    x, drawn = 0.0, []
    for fill, value in parts:
        length = value / whole * width if whole else 0
        if length > 0:
            drawn.append((fill, f"{x:.1f}", f"{max(length - 1, 0.5):.1f}", height))
        x += length
    return format_html(
        '<svg viewBox="0 0 {0} {1}" width="100%" height="{1}" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="f-track" width="{0}" height="{1}"/>{2}</svg>',
        width,
        height,
        format_html_join("", '<rect class="{}" x="{}" y="0" width="{}" height="{}"/>', drawn),
    )


def columns(bars: Sequence[tuple[int, int]], label: str) -> SafeString:
    """Return columns over time, each of (good, bad) counts stacked, with their sentence as the label."""
    width, height, base = 348, 100, 84
    highest = max((good + bad for good, bad in bars), default=0) or 1
    slot = width / max(len(bars), 1)
    drawn = []
    for i, (good, bad) in enumerate(bars):
        tall, red = good / highest * (base - 4), bad / highest * (base - 4)
        for fill, size, y in (("f-2", tall, base - tall), ("f-red", red, base - tall - red)):
            if size > 0:
                x, wide = i * slot + slot * 0.12, slot * 0.76
                drawn.append((fill, f"{x:.1f}", f"{y:.1f}", f"{wide:.1f}", f"{max(size, 1):.1f}"))
    return format_html(
        '<svg viewBox="0 0 {0} {1}" width="100%" height="132" preserveAspectRatio="none" role="img" aria-label="{2}">'
        '<line class="s-line" x1="0" x2="{0}" y1="{3}.5" y2="{3}.5"/>{4}</svg>',
        width,
        height,
        label,
        base,
        format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', drawn),
    )


def steps(reached: int, whole: int, tone: str) -> SafeString:
    """Return ``whole`` small steps with the first ``reached`` filled; ``tone`` (ok, wait, bad) colours the last one."""
    last = {"ok": "f-green", "bad": "f-red", "wait": "f-amber"}[tone]
    drawn = ((last if i == reached - 1 else "f-1" if i < reached else "f-track", i * 11) for i in range(whole))
    return format_html(
        '<svg class="steps6" viewBox="0 0 {0} 6" width="{0}" height="6" aria-hidden="true">{1}</svg>',
        whole * 11 - 2,
        format_html_join("", '<rect class="{}" x="{}" y="0" width="9" height="6" rx="1.5"/>', drawn),
    )
