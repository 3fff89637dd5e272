"""Addresses of reconciliation."""

from django.urls import path

from reconciliation import views

urlpatterns = [
    path("reconciliation/", views.index, name="reconciliation"),
    path("reconciliation/run/", views.run_now, name="reconciliation-run"),
    path("reconciliation/runs/<int:run_id>/<str:entity>/<str:currency>/", views.cell, name="reconciliation-cell"),
]
