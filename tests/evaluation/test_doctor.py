"""Planted faults are found, and what is written is a table that trainings take."""

import numpy as np
import torch
from helpers.cuts import as_image_set, change, cuts_of_photos
from PIL import Image

from caudex import data
from caudex.evaluation.doctor import examine_images, queue_rows


def test_planted_faults_are_found():
    images, labels = cuts_of_photos(100), [i % 2 for i in range(100)]
    labels[10] = 1 - labels[10]  # a wrong label
    images.append(change(images[20]))  # in the test, too
    images.append(change(images[30]))  # with another label
    images.append(change(images[40]))  # twice
    labels += [labels[20], 1 - labels[30], labels[40]]
    noise = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    images += [*noise, *cuts_of_photos(8, seed=5)]
    labels += [-1] * 16
    is_test = torch.zeros(119, dtype=torch.bool)
    is_test[100] = True
    examination = examine_images(as_image_set(images, labels), is_test, None, seed=0)
    rows = {kind: [finding.row for finding in part] for kind, part in examination.findings.items()}
    assert 10 in rows["probably wrong labels"] and len(rows["probably wrong labels"]) <= 15
    assert rows["in training and in the test"] == [20]
    assert 30 in rows["twice with other labels"]
    assert 102 in rows["twice"]
    assert set(rows["unlike all labelled images"]) == set(range(103, 111))


def test_the_table_names_every_labelled_image_once_and_a_training_takes_it(tmp_path):
    images, labels = cuts_of_photos(40), [i % 2 for i in range(40)]
    labels[3] = 1 - labels[3]
    for number, image in enumerate(images):
        folder = tmp_path / "photos" / ("china", "flower")[labels[number]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:03}, 'a'.png")
    split = data.load_images(str(tmp_path / "photos"), test_share=0)
    examination = examine_images(split.labelled, torch.zeros(40, dtype=torch.bool), None, seed=0)
    names = [split.labelled.name(i).removeprefix(f"{tmp_path / 'photos'}/") for i in range(40)]
    findings = [finding for part in examination.findings.values() for finding in part]
    rows = queue_rows(split.labelled, findings, names)
    assert sorted(row[0] for row in rows) == sorted(names) and rows[0][2] in ("china", "flower")
    from caudex.cli.queues import table_text

    table = tmp_path / "labels.csv"
    table.write_text(table_text(rows))
    again = data.load_images(str(tmp_path / "photos"), labels=str(table), test_share=0)
    assert again.labelled.labels.tolist() == split.labelled.labels.tolist()


def test_nothing_odd_and_nothing_labelled():
    images = as_image_set(cuts_of_photos(30), [-1] * 30, ())
    examination = examine_images(images, torch.zeros(30, dtype=torch.bool), None, seed=0)
    assert examination.findings == {} and examination.sentences == []
