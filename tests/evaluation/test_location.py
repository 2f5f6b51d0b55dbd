"""Errors of places, by hand."""

import torch
from pytest import approx

from caudex.evaluation.location import location_errors, location_rows, location_warnings


def test_errors_are_distances_in_centimetres_beside_the_tables_centre():
    positions = torch.tensor([[3.0, 4.0], [0.0, 1.0], [-6.0, 8.0]], dtype=torch.float64)
    predictions = torch.tensor([[3.0, 4.0], [0.0, -2.0], [-6.0, 2.0]], dtype=torch.float64)
    row = location_errors(predictions, positions)
    assert row["error"] == approx(3) and row["median"] == approx(3) and row["near"] == approx(1 / 3)
    assert row["chance"] == approx((5 + 1 + 10) / 3) and row["near_chance"] == approx(1 / 3)
    assert (row["low"] + row["high"]) / 2 == approx(3) and row["test_size"] == 3


def test_rows_and_a_warning_where_nothing_was_learned():
    positions = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    results = {"photos": location_errors(torch.zeros(2, 2, dtype=torch.float64), positions)}
    assert location_rows(results)[1:] == [
        ("photos", "3.00", "-22.41 to 28.41 of 2", "1.00", "50.0%"),
        ("by the table's centre", "3.00", "", "", "50.0%"),
    ]
    assert location_warnings(results)[0].startswith("photos: no better than saying the table's centre")
    assert location_warnings({"photos": location_errors(positions, positions)}) == []
