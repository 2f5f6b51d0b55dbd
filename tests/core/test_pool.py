"""Jobs in processes, and on a Ray cluster of this one machine: results in order, errors as they were."""

import pytest

from caudex.core import registry as names
from caudex.core.errors import CaudexError
from caudex.core.pool import run_parallel


@pytest.mark.parametrize("cluster", ["", "local"])
def test_results_stand_in_the_jobs_order_and_mistakes_are_the_sentences_they_were(cluster, capfd):
    jobs = [(word, ("moco", "simclr")) for word in ("mocco", "sim", "probe", "simclrr")]
    assert run_parallel(names.did_you_mean, jobs, 2, cluster) == [
        " Did you mean moco?",
        " Did you mean simclr?",
        "",
        " Did you mean simclr?",
    ]
    assert "measuring: 4 of 4, 100%, 0 s left" in capfd.readouterr().err
    with pytest.raises(CaudexError, match=r"'simclrr' is not among the systems\. Did you mean simclr\?"):
        run_parallel(names.find_class, [("systems", "simclr"), ("systems", "simclrr")], 1, cluster)


def test_no_jobs_start_nothing():
    assert run_parallel(names.did_you_mean, [], 2, "nowhere:1") == []


def test_a_cluster_that_is_not_there():
    with pytest.raises(CaudexError, match="--cluster localhost:1: there is no Ray cluster"):
        run_parallel(names.did_you_mean, [("a", ())], 1, "localhost:1")
