"""Tables and sentences fit the screen, or 80 columns where nobody watches."""

from caudex.cli.main import memory_advice
from caudex.cli.terminal import column_widths, print_table, print_wrapped
from caudex.reports import claim_table

SCORE = {"mean": 0.8512, "interval": (0.84, 0.86), "gain": 0.1234, "gain_interval": (0.1, 0.15), "verdict": "better"}


def test_words_are_broken_over_lines_before_figures_and_figures_before_words():
    rows = [("the setting", "figure", "against"), ("", "91.23% ± 1.50%", "the same compute"), ("1", "8% ± 1%", "none")]
    assert column_widths(rows, 100) == [11, 14, 16]
    assert column_widths(rows, 32) == [9, 14, 9]  # the widest of words first
    assert column_widths(rows, 29) == [7, 14, 8]  # no longer between words, but compute has 7
    assert column_widths(rows, 20) == [7, 6, 7]
    assert sum(column_widths(rows, 10)) == 10  # whatever it costs


def test_the_table_of_a_claim_fits_80_columns_with_its_intervals_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    baselines = {"supervised, same compute": SCORE, "without noise": SCORE}
    print_table(claim_table({"system": "noisy-student", "baselines": baselines, **SCORE}))
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {80}
    assert sum("85.12% ± 1.00%" in line and "+12.34 ± 2.50 " in line for line in lines) == 2
    assert lines[-1].endswith("┘")  # no column is cut


def test_the_table_of_a_sweep_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    parts = [{"value": value, "baselines": {"supervised, same compute": SCORE}, **SCORE} for value in (1, 25)]
    print_table(claim_table({"system": "noisy-student", "setting": "labels_per_class", "values": parts}))
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {80} and lines[-1].endswith("┘")


def test_sentences_are_broken_between_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    print_wrapped("not shown: a/long/path/that-is-kept-whole.png is")
    assert capsys.readouterr().out == "not shown:\na/long/path/that-is-kept-whole.png\nis\n"


def test_what_memory_cannot_hold_is_named(tmp_path):
    assert memory_advice(["predict", str(tmp_path), "x.png"]).startswith(
        f"the model in {tmp_path} asks for more memory"
    )
    assert "smaller --batch" in memory_advice(["train", "supervised", "--data", str(tmp_path)])
    assert "smaller --batch" in memory_advice(["list"])
