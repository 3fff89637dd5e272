"""The desk in the browser: list, one case, and what people do to them."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from exceptions_queue import selectors
from exceptions_queue.filtersets import FACETS, CaseFilter
from exceptions_queue.forms import BULK_ACTIONS, SNOOZE_HOURS, CaseAction
from exceptions_queue.models import ExceptionCase
from exceptions_queue.services import work
from finsync.kit import facets, preferences
from finsync.kit.keyset import page as one_page
from finsync.kit.permissions import Ability, may, needs
from finsync.kit.views import go_back, page_or_fragment, signed_in

# One request stays short: what is left over is said, and the button can be pressed again.
BULK_CASES_MAX = 200
BULK_SECONDS_MAX = 8.0
PROBLEMS_SHOWN_MAX = 5
LABEL_CHARACTERS_MAX = 24


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """Show the cases of a view under filters, optionally one of them beside the list (``open=EXC-17``)."""
    view, sort = request.GET.get("view", "all"), request.GET.get("sort", "severity")
    user, scope = _person(request), preferences.entity(request)
    rows = selectors.cases(view, user, scope)
    order = selectors.SORTS.get(sort, selectors.SORTS["severity"])
    found = selectors.sortable(CaseFilter(request.GET, queryset=rows).qs)
    fragment = bool(getattr(request, "htmx", None))
    opened = _opened(request.GET.get("open", ""))
    context: dict[str, Any] = {
        "nav": "exceptions",
        "view": view,
        "sort": sort,
        "page": one_page(found, order, request.GET.get("cursor", "")),
        "counted": facets.count(CaseFilter, request.GET, rows, FACETS),
        "file": opened,
        "filtered": any(request.GET.get(name) for name in CaseFilter.base_filters),
        "bulk_max": BULK_CASES_MAX,
        "address": request.get_full_path(),
        "query": _without(request.GET, "open", "cursor").urlencode(),
        "snooze_hours": SNOOZE_HOURS,
    }
    if not fragment:
        context |= {"head": selectors.head(user, scope), "people": _people(request)}
    return page_or_fragment(request, "exceptions/index.html", context, "queue")


@require_GET
@signed_in
def detail(request: HttpRequest, label: str) -> HttpResponseBase:
    """Show one case on a page of its own, or as the fragment beside the list."""
    found = _opened(label)
    if found is None:
        raise Http404(f"There is no exception {label[:LABEL_CHARACTERS_MAX]}.")
    htmx = getattr(request, "htmx", None)
    beside = bool(htmx and htmx.target == "peek")
    context = {
        "nav": "exceptions",
        "file": found,
        "address": _list_with(htmx.current_url_abs_path or "", found.case.label) if beside else request.get_full_path(),
        "snooze_hours": SNOOZE_HOURS,
        "people": _people(request),
    }
    if beside:
        return render(request, "exceptions/peek.html", context)
    return render(request, "exceptions/detail.html", context)


@require_GET
@signed_in
def record(request: HttpRequest, occurrence_id: int) -> HttpResponseBase:
    """Lead to the page of one record of a case."""
    page = selectors.page_of_record(occurrence_id)
    if not page:
        raise Http404("This record has no page of its own.")
    return redirect(page)


@require_POST
@signed_in
@needs(Ability.WORK_CASES)
def act(request: HttpRequest, label: str) -> HttpResponseBase:
    """Do one thing to one case, then show where the person came from with the outcome."""
    case_id = _number(label)
    if case_id is None:
        raise Http404
    form = CaseAction(request.POST)
    if form.is_valid():
        try:
            messages.success(request, _perform(case_id, _person(request), form.cleaned_data))
        except ExceptionCase.DoesNotExist:
            raise Http404(f"There is no exception {label[:LABEL_CHARACTERS_MAX]}.") from None
        except work.NotPossible as refusal:
            messages.error(request, f"Nothing was changed. {refusal}")
    else:
        messages.error(request, f"Nothing was changed. {_first_error(form)}")
    return go_back(request, reverse("exception", args=[f"EXC-{case_id}"]))


@require_POST
@signed_in
@needs(Ability.WORK_CASES)
def bulk(request: HttpRequest) -> HttpResponseBase:
    """Do one thing to the selected cases, or to all a view holds under its filters; say how many it reached."""
    form = CaseAction(request.POST)
    if not form.is_valid() or form.cleaned_data["do"] not in BULK_ACTIONS:
        messages.error(request, f"Nothing was changed. {_first_error(form)}")
        return go_back(request, reverse("exceptions"))
    chosen, left_over = _chosen(request)
    if not chosen:
        messages.error(request, "Nothing was changed. Select at least one exception.")
        return go_back(request, reverse("exceptions"))
    done, problems = 0, []
    until = time.monotonic() + BULK_SECONDS_MAX
    for place, case_id in enumerate(chosen):
        if time.monotonic() > until:
            left_over += len(chosen) - place
            break
        try:
            _perform(case_id, _person(request), {**form.cleaned_data, "version": None})
            done += 1
        except (work.NotPossible, ExceptionCase.DoesNotExist) as refusal:
            problems.append(str(refusal))
    _say_outcome(request, form.cleaned_data["do"], done, problems, left_over)
    return go_back(request, reverse("exceptions"))


def _say_outcome(request: HttpRequest, do: str, done: int, problems: list[str], left_over: int) -> None:
    word = {"assign": "assigned", "retry": "started again", "resolve": "resolved"}[do]
    text = f"{done} {'exception' if done == 1 else 'exceptions'} {word}."
    if problems:
        text += f" {len(problems)} not: {' '.join(problems[:PROBLEMS_SHOWN_MAX])}"
    if left_over:
        text += f" {left_over} more match; do it again for the next {min(left_over, BULK_CASES_MAX)}."
    (messages.warning if problems or left_over else messages.success)(request, text)


def _chosen(request: HttpRequest) -> tuple[list[int], int]:
    """Return the case numbers to act on, at most ``BULK_CASES_MAX``, and how many more there are."""
    if request.POST.get("all"):
        asked = QueryDict(request.POST.get("query", ""))
        rows = selectors.cases(asked.get("view", "all"), _person(request), preferences.entity(request))
        found = CaseFilter(asked, queryset=rows).qs.order_by("-severity_score", "pk")
        ids = list(found.values_list("pk", flat=True)[:BULK_CASES_MAX])
        return ids, max(found.count() - len(ids), 0) if len(ids) == BULK_CASES_MAX else 0
    ids = [number for text in request.POST.getlist("id") if (number := _number(text)) is not None]
    return ids[:BULK_CASES_MAX], max(len(ids) - BULK_CASES_MAX, 0)


def _perform(case_id: int, user: User, values: dict[str, Any]) -> str:
    """Do one action through the desk's services and return what happened, as a sentence."""
    label, version = f"EXC-{case_id}", values.get("version")
    do = values["do"]
    if do == "retry":
        started, problems = work.retry(case_id)
        if not started:
            raise work.NotPossible(" ".join(problems[:PROBLEMS_SHOWN_MAX]) or f"{label} has no record to start again.")
        rest = f" {len(problems)} not: {problems[0]}" if problems else ""
        return f"{started} {'record' if started == 1 else 'records'} of {label} started again.{rest}"
    actions: dict[str, tuple[Callable[[], object], str]] = {
        "assign": (
            lambda: work.assign(case_id, values["person"], version),
            f"{label} assigned to {values.get('person')}.",
        ),
        "take": (lambda: work.assign(case_id, user, version), f"{label} is yours."),
        "return": (lambda: work.assign(case_id, None, version), f"{label} is back in its queue."),
        "resolve": (lambda: work.resolve(case_id, values["reason"], version), f"{label} resolved."),
        "comment": (lambda: work.comment(case_id, values["reason"]), f"Note kept with {label}."),
        "snooze": (
            lambda: work.snooze(case_id, timezone.now() + timedelta(hours=values["hours"]), version),
            f"{label} comes back in {values.get('hours')} hours.",
        ),
    }
    perform, sentence = actions[do]
    perform()
    return sentence


def _list_with(address: str, label: str) -> str:
    """Return the list's address with a case open beside it."""
    path, _, asked = address.partition("?")
    query = QueryDict(asked, mutable=True)
    query["open"] = label
    return f"{path or reverse('exceptions')}?{query.urlencode()}"


def _opened(label: str) -> selectors.CaseFile | None:
    number = _number(label)
    return selectors.case_file(number) if number is not None else None


def _number(label: str) -> int | None:
    text = label.strip().upper().removeprefix("EXC-")
    return int(text) if text.isascii() and text.isdigit() and len(text) < LABEL_CHARACTERS_MAX - 6 else None


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _people(request: HttpRequest) -> list[User]:
    return list(selectors.people()) if may(request.user, Ability.WORK_CASES) else []


def _without(data: QueryDict, *names: str) -> QueryDict:
    rest = data.copy()
    for name in names:
        rest.pop(name, None)
    return rest


def _first_error(form: CaseAction) -> str:
    found = (str(error) for errors in form.errors.values() for error in errors)
    return next(found, "This cannot be done to many at once.")
