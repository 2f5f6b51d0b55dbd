"""Gittins indices, by hand."""

import numpy as np
import pytest

from caudex.evaluation.baselines import gittins


def test_gittins_indices_worked_out_by_hand():
    table, starts = gittins.gittins_indices(10)
    fresh = table[starts] / 65535  # of an arm never pulled, by pulls left
    assert fresh[1] == pytest.approx(1 / 2, abs=1e-4)
    assert fresh[2] == pytest.approx((1 / 2 + 1 / 2 * 2 / 3) / (1 + 1 / 2), abs=1e-4)  # pull again after a success only
    assert (np.diff(fresh[1:]) > 0).all()  # the more pulls are left, the more there is to learn for
    after_reward, failed = table[starts[5] + 2] / 65535, table[starts[5] + 1] / 65535
    assert 2 / 3 < after_reward < 1 and 1 / 3 < failed < 1 / 2 < fresh[5] < after_reward


def test_long_tables_of_indices_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    monkeypatch.setattr(gittins, "CACHED_FROM", 20)
    gittins.gittins_indices.cache_clear()
    first = gittins.gittins_indices(20)[0]
    (file,) = (tmp_path / "gittins").iterdir()
    monkeypatch.setattr(gittins, "compute_indices", None)  # it is not computed again
    gittins.gittins_indices.cache_clear()
    assert np.array_equal(gittins.gittins_indices(20)[0], first) and file.stat().st_size < 1e6
