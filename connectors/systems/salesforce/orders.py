"""From the orders of a contract to one contract version: differences added up, the inclusive end made half-open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from connectors.reading import Cursor, UnreadableBody
from finsync.core.money import RoundingMode
from finsync.core.proration import DayCount, ProrationMethod, ProrationRule, Rounding
from finsync.core.records import ChangeType, ContractLine, ContractVersionRecord, Lineage
from finsync.core.sequencing import VersionKind


class ActionType(StrEnum):
    """OrderAction.Type, the whole vocabulary."""

    ADD = "Add"
    AMEND = "Amend"
    CANCEL = "Cancel"
    NO_CHANGE = "No Change"
    RENEW = "Renew"
    TRANSFER = "Transfer"


@dataclass
class Standing:
    """What stands while the orders of a contract are added up; ``line_of`` leads from an order item to its line."""

    term_start: date
    term_end: date
    lines: dict[str, ContractLine] = field(default_factory=dict)
    line_of: dict[str, str] = field(default_factory=dict)


def contract_version(order: Cursor, system: str) -> ContractVersionRecord:
    """Return the version an activated order makes. Raises UnreadableBody."""
    version = order["Contract_Version__c"].whole(least=1)
    orders = [*order["EarlierOrders"], order]
    numbers = [one["Contract_Version__c"].whole(least=1) for one in orders]
    if numbers != list(range(1, version + 1)):
        raise UnreadableBody(
            order["EarlierOrders"].path, f"version {version} needs all earlier ones, not {numbers}", "ING_GAP_DETECTED"
        )
    standing, added = _add_up(orders)
    effective, contract = order["EffectiveDate"].day(), order["Contract"]["ContractNumber"].identifier()
    if any(not standing.term_start <= effective < line.end for line in added):
        raise order["EffectiveDate"].refuse("a day inside the term is needed")
    changed, reference = order["SystemModstamp"].instant(), order["Amendment_Ref__c"]
    return ContractVersionRecord(
        lineage=Lineage(
            system=system,
            object="Order",
            source_id=order["Id"].identifier(),
            source_version=str(version),
            version_kind=VersionKind.CONTIGUOUS,
            ordinal=version,
            source_ts=changed,
            correlation_id=f"cor-{contract}-v{version}",
            effective_date=effective,
        ),
        entity=order["Entity__c"].identifier(),
        contract_number=contract,
        version=version,
        change_type=_change_type(order, version, added),
        account_id=order["AccountId"].identifier(),
        currency=order["CurrencyIsoCode"].currency(),
        term_start=standing.term_start,
        term_end=standing.term_end,
        effective_date=effective,
        lines=tuple(standing.lines.values()),
        added=added,
        proration=_proration(order),
        amendment_ref=reference.identifier() if reference.given else "",
    )


def _add_up(orders: Sequence[Cursor]) -> tuple[Standing, tuple[ContractLine, ...]]:
    """What stands after the last order, and what that order adds. A renewal starts a new term with its own lines."""
    standing: Standing | None = None
    added: list[ContractLine] = []
    for order in orders:
        if standing is None or ActionType.RENEW in _actions(order):
            standing = Standing(order["EffectiveDate"].day(), order["EndDate"].day_after())
        currency = order["CurrencyIsoCode"].currency()
        added = [_add(standing, item, currency) for item in order["OrderItems"]]
        if not added:
            raise order["OrderItems"].refuse("at least one item is needed")
    if standing is None:
        raise UnreadableBody("$", "an order is needed")
    standing.lines = {key: line for key, line in standing.lines.items() if line.quantity}
    return standing, tuple(added)


def _add(standing: Standing, item: Cursor, currency: str) -> ContractLine:
    """Add one item to the line it changes, or as a line of its own; return the difference it makes."""
    item_id, original = item["Id"].identifier(), item["OriginalOrderItemId"]
    difference = ContractLine(
        line_id=item_id,
        product=item["Product2"]["ProductCode"].identifier(),
        quantity=item["Quantity"].quantity(),
        unit_price=item["UnitPrice"].money(currency),
        price_period_months=item["Price_Period_Months__c"].whole(least=1),
        start=item["ServiceDate"].day(),
        end=item["EndDate"].day_after(),
    )
    line_id = standing.line_of.get(original.identifier(), "") if original.given else ""
    line = standing.lines.get(line_id)
    if line is None or not _same_terms(line, difference):
        line_id, line = item_id, replace(difference, quantity=difference.quantity * 0)
    standing.line_of[item_id] = line_id
    after = line.quantity + difference.quantity
    if after < 0:
        raise item["Quantity"].refuse(f"no more than the {line.quantity} that stand can be removed")
    standing.lines[line_id] = replace(line, quantity=after)
    return replace(difference, line_id=line_id)


def _same_terms(line: ContractLine, other: ContractLine) -> bool:
    """Whether a difference can be added to a line: another price or end makes a line of its own."""
    return (line.product, line.unit_price, line.price_period_months, line.end) == (
        other.product,
        other.unit_price,
        other.price_period_months,
        other.end,
    )


def _actions(order: Cursor) -> set[ActionType]:
    return {action["Type"].one_of(ActionType) for action in order["OrderActions"]}


def _change_type(order: Cursor, version: int, added: Iterable[ContractLine]) -> ChangeType:
    actions = _actions(order) - {ActionType.NO_CHANGE}
    if not actions or ActionType.TRANSFER in actions:
        raise order["OrderActions"].refuse("an action that adds, amends, renews or cancels is needed")
    if ActionType.RENEW in actions:
        return ChangeType.RENEW
    if version == 1:
        return ChangeType.NEW
    if actions == {ActionType.CANCEL}:
        return ChangeType.CANCEL
    quantities = [line.quantity for line in added]
    if min(quantities) < 0 < max(quantities):
        raise order["OrderItems"].refuse("an order that both adds and removes has no single change type; split it")
    return ChangeType.DOWNSELL if min(quantities) < 0 else ChangeType.UPSELL


def _proration(order: Cursor) -> ProrationRule:
    """The rule is stated by the order; nothing about it is assumed (domain.md 0.2)."""
    try:
        return ProrationRule(
            method=order["Proration_Method__c"].one_of(ProrationMethod),
            day_count=order["Proration_Day_Count__c"].one_of(DayCount),
            rounding=order["Proration_Rounding__c"].one_of(Rounding),
            rounding_mode=order["Rounding_Mode__c"].one_of(RoundingMode),
        )
    except ValueError as error:
        raise order["Proration_Method__c"].refuse(str(error)) from None
