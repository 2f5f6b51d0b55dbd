"""Panels leave little of a figure empty."""

from caudex.evaluation.plots.panels import panel_columns


def test_panels_fill_their_figure():
    assert [panel_columns(count) for count in range(1, 8)] == [1, 2, 3, 2, 3, 3, 3]
