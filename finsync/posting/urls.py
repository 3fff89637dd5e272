"""Addresses of postings."""

from django.urls import path

from finsync.posting import views

urlpatterns = [
    path("transactions/", views.index, name="transactions"),
    path("transactions/<int:posting_id>/retry/", views.retry, name="posting-retry"),
]
