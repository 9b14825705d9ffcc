"""Figures: runs drawn for a paper or a page, with their uncertainty.

`picture` makes a figure of what `runs` has grouped and `published` has found; the other
modules draw one kind of panel each, in the style that `drawing` sets.
"""
