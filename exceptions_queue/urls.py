"""Addresses of the desk."""

from django.urls import path

from exceptions_queue import views

urlpatterns = [
    path("exceptions/", views.index, name="exceptions"),
    path("exceptions/bulk/", views.bulk, name="exceptions-bulk"),
    path("exceptions/record/<int:occurrence_id>/", views.record, name="exception-record"),
    path("exceptions/<str:label>/", views.detail, name="exception"),
    path("exceptions/<str:label>/act/", views.act, name="exception-act"),
]
