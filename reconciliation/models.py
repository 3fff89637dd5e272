"""Runs of controls, what each side showed, the cells of the matrix, every variance, and the breaks that stand."""

from django.db import models
from django.db.models.functions import Now

from finsync.core.lifecycle import RunState


class Run(models.Model):
    """One execution of one control (R4, R6 …) over a window; ``requested_by`` is the schedule or a person.

    ``started_at`` is null until a worker takes the run and serves as its fence: whoever takes a run over from a dead
    worker sets it anew, and a write under the old one is refused.
    """

    control = models.CharField(max_length=6)
    window_start = models.DateField()
    window_end = models.DateField()
    state = models.CharField(max_length=12, default=RunState.RUNNING)
    requested_by = models.TextField()
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    items_a = models.IntegerField(default=0)
    items_b = models.IntegerField(default=0)
    variances = models.IntegerField(default=0)
    problem = models.TextField(blank=True)

    class Meta:
        db_table = "recon_run"
        indexes = [models.Index(fields=["control", "-id"], name="recon_run_newest")]


class Item(models.Model):
    """What one side showed for one key, as read at the time of the run. Amounts in minor units of ``currency``.

    ``seen_at`` is when the side last changed, where it says so. Items are kept for the newest runs only.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="items")
    side = models.CharField(max_length=1)  # A or B
    system = models.CharField(max_length=60)
    key = models.TextField()
    entity = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    period = models.CharField(max_length=7, blank=True)
    state = models.CharField(max_length=20, blank=True)
    version = models.IntegerField(default=0)
    amount_minor = models.BigIntegerField()
    net_minor = models.BigIntegerField(null=True)
    tax_minor = models.BigIntegerField(null=True)
    source_id = models.TextField(blank=True)
    seen_at = models.DateTimeField(null=True)
    document_date = models.DateField(null=True)
    payload_hash = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        db_table = "recon_item"
        indexes = [models.Index(fields=["run", "key"], name="recon_item_key")]


class Cell(models.Model):
    """Counts, totals and state of one control for one entity, currency and period: one cell of the matrix."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="cells")
    entity = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    period = models.CharField(max_length=7, blank=True)
    count_a = models.IntegerField()
    count_b = models.IntegerField()
    total_a_minor = models.BigIntegerField()
    total_b_minor = models.BigIntegerField()
    state_breaks = models.IntegerField(default=0)
    open_variances = models.IntegerField(default=0)
    variance_minor = models.BigIntegerField(default=0)
    verdict = models.CharField(max_length=12)  # TIED, TOLERANCE, IN_TRANSIT, VARIANCE

    class Meta:
        db_table = "recon_cell"
        constraints = [models.UniqueConstraint(fields=["run", "entity", "currency", "period"], name="recon_cell_once")]


class Break(models.Model):
    """A key of a control that does not tie, followed over its runs until one finds it tied.

    It is what cases point to (subject type ``variance``): variances belong to one run, a break keeps its number.
    ``first_seen_at`` starts again when a cleared break returns; ``at_risk_minor`` is never negative.
    """

    control = models.CharField(max_length=6)
    entity = models.CharField(max_length=20)
    key = models.TextField()
    currency = models.CharField(max_length=3)
    period = models.CharField(max_length=7, blank=True)
    document_date = models.DateField(null=True)
    break_class = models.CharField(max_length=14)
    at_risk_minor = models.BigIntegerField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    last_run = models.ForeignKey(Run, models.PROTECT, related_name="breaks")
    cleared_at = models.DateTimeField(null=True)
    cleared_by = models.TextField(blank=True)

    class Meta:
        db_table = "recon_break"
        constraints = [models.UniqueConstraint(fields=["control", "entity", "key"], name="recon_break_once")]
        indexes = [
            models.Index(
                fields=["control", "id"], condition=models.Q(cleared_at__isnull=True), name="recon_break_standing"
            )
        ]


class Variance(models.Model):
    """One pair that does not tie, with its class (domain.md 8.2), both amounts and both ids.

    ``difference_minor`` is A less B in the currency of the cell; a side that is missing or in another currency counts
    as nothing. ``standing`` follows the pair over runs.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="variance_rows")
    cell = models.ForeignKey(Cell, models.CASCADE, related_name="variance_rows")
    standing = models.ForeignKey(Break, models.PROTECT, null=True, related_name="variance_rows")
    key = models.TextField()
    break_class = models.CharField(max_length=14)
    explanation = models.TextField()
    amount_a_minor = models.BigIntegerField(null=True)
    amount_b_minor = models.BigIntegerField(null=True)
    difference_minor = models.BigIntegerField()
    state_a = models.CharField(max_length=20, blank=True)
    state_b = models.CharField(max_length=20, blank=True)
    version_a = models.IntegerField(default=0)
    version_b = models.IntegerField(default=0)
    source_id_a = models.TextField(blank=True)
    source_id_b = models.TextField(blank=True)

    class Meta:
        db_table = "recon_variance"
        indexes = [models.Index(fields=["run", "break_class"], name="recon_variance_class")]
