"""The command label: what it needs, what it refuses, and how it ends."""

import sys
from pathlib import Path

import pytest
from helpers.command_line import assert_refused, run_cli
from helpers.label_pages import post_label, write_images
from starlette.testclient import TestClient

from caudex.serve import app


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "jinja2"])
def test_a_missing_package_says_what_to_install(monkeypatch, package):
    write_images(Path("photos"), "1.png")
    for name in [name for name in sys.modules if name.startswith("caudex.serve") or name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert_refused("label", "photos", because=f"label needs the package {package}: pip install 'caudex[serve]'.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere is no folder; give one of images: caudex label photos/."),
        (["photos"], "no class is named by photos; a label is chosen from two or more: --classes cat dog."),
        (["photos", "--classes", "cat", "dog", "--port", "80"], "--port 80 is out of range"),
        (["photos", "--classes", "cat", "dog", "--queue", "q.csv"], "q.csv is not there"),
        (["photos", "--classes", "cat", "dog", "--labels", "no/labels.csv"], "there is no folder no; make it first"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(words, sentence):
    write_images(Path("photos"), "1.png")
    assert_refused("label", *words, because=sentence)


def test_a_port_that_is_taken_is_refused():
    write_images(Path("photos"), "1.png")
    with app.listen(0) as listener:
        port = listener.getsockname()[1]
        words = ["label", "photos", "--classes", "cat", "dog", "--port", port]
        assert_refused(
            *words, because=f"port {port} cannot be had (Address already in use); give another: --port {port + 1}."
        )


def press_keys(*labels):
    """Instead of `serve`: these labels for the first image of the queue."""

    def serve(guard, listener, open_browser):
        listener.close()
        address = "http://127.0.0.1:8765"
        client = TestClient(guard, address, headers={"origin": address, app.TOKEN_HEADER: guard.token})
        assert all(post_label(client, 0, label).status_code == 200 for label in labels) and not open_browser

    return serve


@pytest.mark.parametrize("labels", [(), ("cat",)])
def test_it_ends_with_what_was_written_and_the_next_step(monkeypatch, labels):
    write_images(Path("my photos"), "cat/1.png", "dog/2.png", "unsorted/3.png")
    monkeypatch.setattr(app, "serve", press_keys(*labels))
    output = run_cli("label", "my photos", "--classes", "cat", "dog", "--port", "8765")
    command = "caudex train noisy-student --data 'my photos' --labels 'my photos/labels.csv'"
    assert output.out.splitlines() == [
        "1 image to look at; labels go to my photos/labels.csv; Ctrl-C ends",
        f"1 label written to my photos/labels.csv; next: {command}" if labels else "no label was written",
    ]
    assert Path("my photos/labels.csv").exists() == bool(labels)


def test_labels_in_the_table_of_an_audit_are_not_to_be_learned_from(monkeypatch):
    write_images(Path("photos"), "cat/1.png", "dog/2.png", "unsorted/3.png")
    Path("audit.csv").write_text("path,label,suggestion,reason\nunsorted/3.png,,cat,cat 60%\n")
    monkeypatch.setattr(app, "serve", press_keys("dog"))
    words = ("--queue", "audit.csv", "--labels", "audit.csv", "--classes", "cat", "dog", "--port", "8765")
    assert run_cli("label", "photos", *words).out.splitlines()[-1] == "1 label written to audit.csv"
    assert Path("audit.csv").read_text().splitlines()[1] == "unsorted/3.png,dog,cat,cat 60%"
