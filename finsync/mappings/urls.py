"""Addresses of mappings."""

from django.urls import path, re_path

from finsync.mappings import views

urlpatterns = [
    path("mappings/", views.index, name="mappings"),
    re_path(r"^mappings/(?P<name>[\w:.\- ]{1,80})/$", views.detail, name="mapping"),
]
