"""What a break means: the reason it is raised under, what tells its cause from others, and the words for people.

Controls that are about contracts are first asked whether the revenue engine executes the contract's newest version:
an amendment that never reached it explains every difference of that contract, in versions, in deferred revenue and in
recognised revenue, and is one cause (domain.md 0.1 and 3a).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.models import Connection
from finsync.canonical.models import Contract, ContractVersion
from finsync.canonical.selectors import customer_name
from finsync.core.fingerprint import DIMENSIONS
from finsync.core.matching.variance import VarianceClass
from finsync.core.money import Money, total
from finsync.core.pricing import added_price
from finsync.core.records import ContractVersionRecord, customer_key, from_json
from finsync.core.revenue import ScheduleLine, by_period, recognise
from finsync.posting.models import Posting
from reconciliation.controls import Control, Held, Shown
from reconciliation.models import Break, Item, Run, Variance


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a break is on the desk. ``amount`` is what this break adds to the case's amount at risk."""

    code: str
    dimensions: Mapping[str, str | int]
    explanation: str
    amount: Money | None
    title: str = ""
    remedy: str = ""
    source: str = ""
    target: str = ""
    customer: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def cause_of(run: Run, control: Control, broken: Break, variance: Variance) -> Cause:
    """Return what a break that is not merely on its way is raised as."""
    if control.about_contract:
        found = _contract_cause(run, control, broken, variance)
        if found is not None:
            return found
    code, systems = control.reason(VarianceClass(broken.break_class)), _systems(control, broken)
    return Cause(
        code=code,
        dimensions=_dimensions(code, run, control, broken, systems["target"] or systems["source"]),
        title=f"{control.title}: {_PLAIN[broken.break_class]} in {broken.entity} {broken.period}".rstrip(),
        explanation=(
            f"{control.code} compares {control.a.name} with {control.b.name}. {control.question} In {broken.entity}, "
            f"{broken.currency} {broken.period or 'at present'}: no. Each difference is listed below with both sides."
        ),
        amount=Money(broken.at_risk_minor, broken.currency),
        facts={"control": control.code, "entity": broken.entity, "currency": broken.currency, "period": broken.period},
        **systems,
    )


_PLAIN = {
    VarianceClass.MISSING_A: "documents without an origin",
    VarianceClass.MISSING_B: "documents missing",
    VarianceClass.DUPLICATE: "documents twice",
    VarianceClass.AMOUNT: "amounts differ",
    VarianceClass.MANUAL: "made or changed by hand",
    VarianceClass.STATE: "states differ",
}


def _dimensions(code: str, run: Run, control: Control, broken: Break, connection: str) -> dict[str, str | int]:
    known: dict[str, str | int] = {
        "control": control.code,
        "entity": broken.entity,
        "currency": broken.currency,
        "period": broken.period,
        "connection": connection,
        "business_key": _business_key(run, broken) if "business_key" in DIMENSIONS[code] else "",
        "contract": contract_number(broken),
        "version": 0,
    }
    return {name: known[name] for name in DIMENSIONS[code]}


def _business_key(run: Run, broken: Break) -> str:
    """Our own key of the document, where side A is what finsync sent; else the key both sides share."""
    items = Item.objects.filter(run=run, entity=broken.entity, key=broken.key, side="A").values_list("facts", flat=True)
    return next((str(facts["business_key"]) for facts in items if "business_key" in facts), broken.key)


def _systems(control: Control, broken: Break) -> dict[str, str]:
    """The connections a break lies between, where a side has only one that could be meant."""
    return {"source": _system(control.a, broken.entity), "target": _system(control.b, broken.entity)}


def _system(side: Shown | Held, entity: str) -> str:
    if isinstance(side, Held):
        return side.name
    found = Connection.objects.filter(roles__contains=[side.role]).values_list("name", "entities")
    serving = [name for name, entities in found if not entities or entity in entities]
    return serving[0] if len(serving) == 1 else ""


def contract_number(broken: Break) -> str:
    """Return the contract a break of a contract control belongs to."""
    return broken.key.partition("|")[0]


# ---- contract versions that were not executed ------------------------------------------------------------------


def _contract_cause(run: Run, control: Control, broken: Break, variance: Variance) -> Cause | None:
    number = contract_number(broken)
    contract = Contract.objects.filter(entity=broken.entity, number=number).first()
    if contract is None:
        return None
    versions = list(
        ContractVersion.objects.filter(contract=contract, effective_date__lt=run.window_end)
        .order_by("version").select_related("change")
    )  # fmt: skip
    held_by_a = isinstance(control.a, Held)
    executed = variance.version_b if held_by_a else _executed(run, broken.entity, number)
    if not versions or executed == versions[-1].version:
        return _reallocated(broken, number, executed) if held_by_a and executed else None
    if executed > versions[-1].version:
        return None
    # The amount at risk stands once: on the pair of versions. The months that follow from it only tell the same story.
    return _not_executed(run, control, contract, versions, executed, counted=held_by_a)


def _executed(run: Run, entity: str, number: str) -> int:
    """The contract version the revenue engine's rows of this run were made from; 0 where it shows none."""
    rows = Item.objects.filter(run=run, side="A", entity=entity, key__startswith=f"{number}|")
    return max(rows.values_list("version", flat=True), default=0)


def _reallocated(broken: Break, number: str, version: int) -> Cause:
    code = "REV_UNEXPECTED_REALLOCATION"
    return Cause(
        code=code,
        dimensions={"contract": number, "version": version},
        explanation=(
            f"Contract {number} and its schedule are both at version {version}, but the schedule spreads another "
            f"total: {Money(broken.at_risk_minor, broken.currency)} apart."
        ),
        amount=Money(broken.at_risk_minor, broken.currency),
        facts={"contract": number, "version": version},
    )


def _not_executed(
    run: Run, control: Control, contract: Contract, versions: list[ContractVersion], executed: int, *, counted: bool
) -> Cause:
    newest, first_missing = versions[-1].version, executed + 1
    missing = [each for each in versions if each.version > executed]
    contracted = total((_price(each, contract) for each in versions), contract.currency)
    unscheduled = total((_price(each, contract) for each in missing), contract.currency)
    scheduled = contracted - unscheduled
    understated = understatement(missing)
    posting = (
        Posting.objects.filter(
            doc_type="revenue_contract", entity=contract.entity, contract_number=contract.number,
            contract_version=first_missing,
        ).exclude(status="CANCELLED").order_by("-pk").first()
    )  # fmt: skip
    name = f"contract {contract.number}"
    if executed:
        code, behind = "REV_SCHEDULE_STALE", f"the revenue engine executes version {executed}, {scheduled}"
        remedy = f"Replay amendment v{first_missing} to the revenue engine."
    else:
        code, behind = "REV_SCHEDULE_MISSING", "the revenue engine has no schedule for it"
        remedy = f"Replay version {first_missing} to the revenue engine."
    if posting is not None and posting.status == "EXCEPTION":
        remedy += f" Its posting stands in exception: {posting.status_reason or posting.exception_code}."
    return Cause(
        code=code,
        dimensions={"contract": contract.number, "version": first_missing},
        title=f"Schedule of {name} is behind: version {executed} instead of {newest}" if executed else "",
        explanation=(
            f"{name[0].upper()}{name[1:]} is at version {newest}, {contracted}; {behind}. {unscheduled} is on no "
            f"schedule: deferred revenue in ledger and engine differ by it as soon as it is invoiced, and revenue is "
            f"understated{_course(understated)}. Receivables can agree all the same."
        ),
        remedy=remedy,
        amount=unscheduled if counted else None,
        target=posting.connection.name if posting else "",
        customer=customer_name(customer_key(contract.account_id)),
        facts={
            "contract": contract.number, "version": newest, "executed_version": executed, "currency": contract.currency,
            "contract_total": str(contracted.major), "schedule_total": str(scheduled.major),
            "unscheduled": str(unscheduled.major),
            "understated": {line.period.label: str(line.amount.major) for line in understated},
            "posting": posting.pk if posting else None,
        },
    )  # fmt: skip


def _price(version: ContractVersion, contract: Contract) -> Money:
    return Money(version.added_price_minor, contract.currency)


def _course(understated: list[ScheduleLine]) -> str:
    if not understated:
        return ""
    first, last = understated[0], understated[-1]
    return f" by {first.amount} at the end of {first.period.label}, growing to {last.amount} in {last.period.label}"


def understatement(missing: list[ContractVersion]) -> list[ScheduleLine]:
    """Return by how much revenue is understated at each month's end while these versions are on no schedule.

    The shadow schedule: what each version adds, spread by days from its effective date (domain.md 3a).
    """
    added: list[list[ScheduleLine]] = []
    for version in missing:
        record = from_json("contract_version", version.change.record)
        assert isinstance(record, ContractVersionRecord)
        added += [
            recognise(added_price(record, line), max(record.effective_date, line.start), line.end)
            for line in record.added
        ]
    lines = by_period(*added)
    return [
        ScheduleLine(line.period, total((each.amount for each in lines[: index + 1]), line.amount.currency))
        for index, line in enumerate(lines)
    ]
