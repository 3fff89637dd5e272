"""`make bench`: what finsync costs beside the barest thing that does the same, as ratios of one run (performance.md).

A benchmark never fails on time: it prints both sides, the ratio and the bar, and says which bars are missed.
"""
