"""Planning documents, releasing them, sending them once, settling doubt."""
