"""The sample company: what `make run` shows. Nothing of it is needed in production."""
