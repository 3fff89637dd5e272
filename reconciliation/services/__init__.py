"""Running controls: ask, collect, compare, follow, repair."""
