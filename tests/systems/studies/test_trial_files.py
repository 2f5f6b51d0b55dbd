"""What advise keeps: read back, and refused where it is damaged or of other examples."""

import pytest
import torch

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.systems.studies.trial_files import digest_examples, record_advice, remember_predictions


def test_advice_is_not_gone_on_with_other_labels_or_damaged_files(tmp_path):
    run = Run(tmp_path / "run")
    record_advice(run, {"seed": 0}, digest_examples([b"a", b"b"], torch.tensor([0, 1])))
    record_advice(run, {"seed": 0}, digest_examples([b"a", b"b"], torch.tensor([0, 1])))
    with pytest.raises(CaudexError, match="begun with other examples or labels; give another --run"):
        record_advice(run, {"seed": 0}, digest_examples([b"a", b"b"], torch.tensor([1, 1])))
    predict = remember_predictions(run, "words, counted", lambda train, test, seed: torch.tensor([1, 0]), 2)
    rows = torch.arange(2)
    assert predict(rows, rows, 5).tolist() == [1, 0]
    (file,) = (tmp_path / "run/trials").iterdir()
    assert file.name == "words-counted-5.json"
    for content, message in (("[1]", "is damaged"), ("[1, 2]", "is damaged"), ('["a", 1]', "words-counted-5.json")):
        file.write_text(content)
        with pytest.raises(CaudexError, match=message):
            predict(rows, rows, 5)
