"""Addresses of pages that span rooms."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from finsync.web import views

urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.find, name="search"),
    path("trace/", views.find, name="trace-search"),
    path("trace/<int:posting_id>/", views.trace, name="trace"),
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("preferences/", views.preference, name="preference"),
]
