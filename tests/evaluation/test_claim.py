"""Claims of made-up figures: verdicts, controls, tuning trials."""

import pytest

from caudex.core.errors import CaudexError
from caudex.evaluation.claim import Claim, overall_verdict, refusal, summarize_claims


def claims(gains, control=None, baseline=100.0):
    """A seed for each gain; `control` lies so far above the baseline."""
    controls = [{} if control is None else {"blind agent": baseline + control + 0.01 * i} for i in range(len(gains))]
    return [Claim("s", baseline + gain, {"random": baseline}, controls=part) for gain, part in zip(gains, controls)]


LOSS, GAIN, UNCLEAR = (-9.0, -4.0, -7.0, -5.0, -7.0), (9.0, 4.0, 7.0, 5.0, 7.0), (9.0, -4.0, 7.0, -5.0, 1.0)


@pytest.mark.parametrize(("gains", "verdict"), [(LOSS, "worse"), (GAIN, "better"), (UNCLEAR, "not shown")])
def test_a_claim_has_one_of_three_verdicts(gains, verdict):
    (part,) = summarize_claims([claims(gains)])
    assert part["verdict"] == part["baselines"]["random"]["verdict"] == verdict
    assert part["shown"] == (verdict == "better")
    assert part["comparisons"] == 1


def test_one_seed_has_no_interval_and_shows_nothing():
    (part,) = summarize_claims([claims(GAIN[:1])])
    assert part["interval"] is part["baselines"]["random"]["gain_interval"] is None
    assert not part["shown"]


def test_a_claim_whose_control_also_wins_is_refused():
    (part,) = summarize_claims([claims(GAIN, control=3.0)])
    assert part["verdict"] == "better" and not part["shown"]
    assert "its control 'blind agent' beats the baseline 'random', too" in refusal(part)
    (part,) = summarize_claims([claims(GAIN, control=-3.0)])
    assert part["shown"] and refusal(part) is None


def test_the_verdicts_of_a_table_hold_together():
    barely = (5.0, 1.0, 3.0, 0.5, 2.0)  # p = 0.048, alone
    assert summarize_claims([claims(barely)])[0]["verdict"] == "better"
    parts = summarize_claims([claims(barely), claims(UNCLEAR)])
    assert [part["verdict"] for part in parts] == ["not shown", "not shown"] and parts[0]["comparisons"] == 2
    assert overall_verdict(summarize_claims([claims(GAIN), claims(GAIN)])) == "better"
    assert overall_verdict(summarize_claims([claims(GAIN), claims(UNCLEAR)])) == "not shown"


def test_every_arm_has_as_many_tuning_trials():
    Claim("s", 1.0, {"random": 0.0}, tuning_trials={"score": 20, "random": 20})
    with pytest.raises(CaudexError, match="20 settings were tried for 'score', 1 for 'random'; try as many for each"):
        Claim("s", 1.0, {"random": 0.0}, tuning_trials={"score": 20})


def test_a_figure_that_is_no_number_is_no_evidence():
    with pytest.raises(CaudexError, match="'random' came out as nan"):
        Claim("s", 1.0, {"random": float("nan")})
