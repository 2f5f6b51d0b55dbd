"""The gap between source only and the bound."""

import msgspec
import pytest

from caudex.evaluation.domain_gap import domain_rows, gap_closed
from caudex.evaluation.result_kinds import DomainResults


def test_the_gap_is_closed_from_floor_to_ceiling():
    arms = {name: {"accuracy": value} for name, value in (("new", 0.75), ("floor", 0.6), ("ceiling", 0.9))}
    assert gap_closed(arms, "new", "floor", "ceiling") == pytest.approx(0.5)
    assert gap_closed(arms, "floor", "floor", "ceiling") == 0
    assert gap_closed(arms | {"ceiling": {"accuracy": 0.6}}, "new", "floor", "ceiling") is None
    assert gap_closed({"new": {}, "floor": {}}, "new", "floor", "ceiling") is None


def test_what_was_not_measured_is_called_so():
    rows = domain_rows({"arms": {"new": {"probe": 0.75, "discriminator": 0.5}}, "confusion": "..."}, "ceiling")
    assert rows[1] == ("new", "not measured", "", "75.0%", "50.0%") and len(rows) == 2


@pytest.mark.parametrize(
    "results", [{"arms": {}}, {"arms": {"new": {"accuracy": 0.5}}}, {"arms": {"new": {}}, "gain": {"gain": 1}}]
)
def test_results_that_are_not_whole_are_refused(results):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(results | {"confusion": ""}, DomainResults)
