"""How the pages write numbers, states and small graphics."""

import datetime as dt
import math
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from exo_registry.formats.text import counted
from exo_registry.models import Product
from exo_registry.operations.permissions import MAY

register = template.Library()

# What a reader has to know of market data that is not quoted.
DATA_KINDS = {
    Product.DataKind.MODELLED: "Modelled market data: prices of options come from a model, without bids and asks, so "
    "that whoever sells premium looks better than it was.",
    Product.DataKind.SYNTHETIC: "Synthetic market data: none of it was ever quoted anywhere.",
}

MINUS = "\N{MINUS SIGN}"
ABSENT = "–"
FIGURE_SPACE = "\N{FIGURE SPACE}"
PRICE_DECIMALS = 4


@register.filter
def number(value: float | None, decimals: int = 2) -> str:
    """1234.5 as 1,234.50; a true minus sign; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):,.{decimals}f}"
    return f"{MINUS}{text}" if value < 0 and text.strip("0.,") else text


@register.filter
def signed(value: float | None, decimals: int = 2) -> str:
    """As `number`, with a plus sign on what is above zero."""
    text = number(value, decimals)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.,") else text


@register.filter
def plain(value: float | None) -> str:
    """A number as short as it goes, without trailing zeros: 12.5, 50, 0.00005."""
    return ABSENT if value is None else f"{value:,.10g}".replace("-", MINUS)


@register.filter
def signed_plain(value: float | None) -> str:
    """As `plain`, with a plus sign on what is above zero: +1, −2.5."""
    text = plain(value)
    return f"+{text}" if value is not None and value > 0 else text


@register.filter
def percent(value: float | None, decimals: int = 1) -> str:
    """A fraction in per cent, without the sign for it: 0.1437 as 14.4."""
    return ABSENT if value is None else number(100 * value, decimals)


@register.filter
def price(value: float, tick: float = 0.01) -> str:
    """A traded price: four decimals, or as many as the tick has; zeros after the second are figure spaces, so that
    the points of a column stand under each other. What would read as zero, and is not, reads <0.0001."""
    decimals = max(PRICE_DECIMALS, decimals_of(tick))
    text = number(value, decimals)
    if value and not text.strip(f"0.,{MINUS}"):
        return f"<{10**-decimals:.{decimals}f}"
    whole, _, part = text.partition(".")
    kept = part.rstrip("0").ljust(2, "0")
    return f"{whole}.{kept}".ljust(len(text), FIGURE_SPACE)


@lru_cache
def decimals_of(tick: float) -> int:
    """Decimals that a price in ticks needs: 0 for 5, 2 for 0.25, 6 for 0.015625."""
    return max(0, -Decimal(repr(tick)).normalize().as_tuple().exponent)


@register.filter("counted")
def counted_filter(count: int, noun: str) -> str:
    """A count with its noun, as `formats.text.counted`; after a comma, the noun's plural: "step waits,steps wait"."""
    return counted(count, *noun.split(","))


@register.filter
def over(sessions: int | None) -> str:
    """The span of a change that is over more than one session: over 3 sessions; nothing for one."""
    return f"over {counted(sessions, 'session')}" if sessions and sessions > 1 else ""


@register.filter
def direction(value: float | None) -> str:
    """The style class of a change: gain, loss or none."""
    if not value:
        return ""
    return "gain" if value > 0 else "loss"


@register.filter
def raw(value: object) -> str:
    """A value for a `data-value` attribute, which scripts sort by; empty when there is none."""
    return "" if value is None else str(value)


@register.filter
def iso(value: dt.date | dt.datetime | None) -> str:
    """2024-05-31, or 2024-05-31 14:45 in the server's time zone; a dash for None."""
    if value is None:
        return ABSENT
    if isinstance(value, dt.datetime):
        return f"{timezone.localtime(value) if timezone.is_aware(value) else value:%Y-%m-%d %H:%M}"
    return value.isoformat()


@register.filter
def clock(value: dt.timedelta | float | None) -> str:
    """A duration: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if value is None:
        return ABSENT
    seconds = value.total_seconds() if isinstance(value, dt.timedelta) else float(value)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


@register.simple_tag
def sparkline(values: list[float]) -> SafeString | str:
    """The last values as a small line, with zero as a dotted rule where it is in range."""
    return _sparkline(tuple(values))


@lru_cache(maxsize=4096)
def _sparkline(values: tuple[float, ...]) -> SafeString | str:
    """Drawn once for the same values: a book of hundreds is asked for again and again."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    # Whole numbers in a box of 10 a session by 240, each relative to the one before: half the bytes of points.
    heights = [round(230 - 220 * (value - low) / span) for value in values]
    steps = " ".join(f"10 {after - before}" for before, after in pairwise(heights))
    rule = (
        f'<path class="zero" d="M0 {round(230 + 220 * low / span)}h{10 * len(heights) - 10}"/>'
        if low < 0 < high
        else ""
    )
    return mark_safe(  # noqa: S308 - whole numbers only
        f'<svg class="spark" viewBox="0 0 {10 * len(heights) - 10} 240" preserveAspectRatio="none" aria-hidden="true">'
        f'{rule}<path d="M0 {heights[0]}l{steps}"/></svg>'
    )


@register.simple_tag
def data_kind(product: Product) -> SafeString | str:
    """A tag for a product whose market data is not quoted; nothing for one whose data is."""
    meaning = DATA_KINDS.get(product.data_kind)
    if meaning is None:
        return ""
    return format_html('<span class="tag {}" title="{}">{}</span>', product.data_kind, meaning, product.data_kind)


@register.simple_tag
def data_kind_note(product: Product) -> SafeString | str:
    """The same as a note, for what is made of a series."""
    meaning = DATA_KINDS.get(product.data_kind)
    return "" if meaning is None else format_html('<p class="note warning">{}</p>', meaning)


@register.simple_tag
def vendor_script(path: str) -> SafeString | str:
    """A script tag for a file of an npm package; nothing while the packages are not installed and collected."""
    try:
        url = staticfiles_storage.url(f"vendor/{path}")
    except ValueError:
        return ""
    return format_html('<script src="{}" defer></script>', url)


@register.simple_tag
def vendor_style(path: str) -> SafeString | str:
    """The same for a style sheet."""
    try:
        url = staticfiles_storage.url(f"vendor/{path}")
    except ValueError:
        return ""
    return format_html('<link rel="stylesheet" href="{}">', url)


@register.inclusion_tag("admin/groups_may.html")
def groups_may() -> dict[str, object]:
    """A table of what each group may do."""
    return {"groups": MAY}
