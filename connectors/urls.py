"""Addresses of connections and kept letters."""

from django.urls import path

from connectors import views

urlpatterns = [
    path("connections/", views.connections, name="connections"),
    path("connections/<slug:name>/", views.connection, name="connection"),
    path("events/", views.events, name="events"),
    path("events/<int:letter_id>/", views.event, name="event"),
    path("events/of-fact/<int:fact_id>/", views.event_of_fact, name="event-of-fact"),
    path("events/<int:letter_id>/replay/", views.replay, name="event-replay"),
]
