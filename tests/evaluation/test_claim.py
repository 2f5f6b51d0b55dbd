"""A claim is shown only when the whole interval of its gain lies above zero."""

import pytest

from caudex.evaluation.claim import Claim, aggregate_seeds


def test_a_claim_is_shown_only_when_the_paired_gain_lies_above_zero():
    better = [Claim("s", 0.9 + 0.01 * i, {"base": 0.8 + 0.01 * i}) for i in range(4)]
    assert aggregate_seeds(better)["shown"] and aggregate_seeds(better)["baselines"]["base"]["gain"] == pytest.approx(
        0.1
    )
    unclear = [Claim("s", 0.5, {"base": base}) for base in (0.4, 0.6, 0.45, 0.5)]
    assert not aggregate_seeds(unclear)["shown"]
    assert not aggregate_seeds(better[:1])["shown"]  # one seed has no interval
