"""What a person may ask of a case, checked before any service sees it."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

REASON_CHARACTERS_MAX = 2_000
SNOOZE_HOURS = ((4, "4 hours"), (24, "1 day"), (72, "3 days"), (168, "1 week"))
ACTIONS = ("assign", "take", "return", "retry", "resolve", "snooze", "comment")
BULK_ACTIONS = ("assign", "retry", "resolve")


class CaseAction(forms.Form):
    """One action with what it needs: a person, a reason or an end."""

    do = forms.ChoiceField(choices=[(name, name) for name in ACTIONS])
    person = forms.ModelChoiceField(User.objects.filter(is_active=True), to_field_name="username", required=False)
    reason = forms.CharField(max_length=REASON_CHARACTERS_MAX, required=False)
    hours = forms.TypedChoiceField(choices=SNOOZE_HOURS, coerce=int, required=False)
    version = forms.IntegerField(required=False)

    def clean(self) -> dict[str, Any]:
        """Require a reason to resolve or comment, a person to assign, an end to snooze."""
        values = super().clean() or {}
        do = values.get("do")
        if do == "resolve" and not values.get("reason"):
            self.add_error("reason", "Say why: a case is resolved with a reason.")
        if do == "comment" and not values.get("reason"):
            self.add_error("reason", "Write something first.")
        if do == "assign" and not values.get("person"):
            self.add_error("person", "Choose whom to assign it to.")
        if do == "snooze" and not values.get("hours"):
            self.add_error("hours", "Choose when it comes back: a snooze always has an end.")
        return values
