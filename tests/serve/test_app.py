"""Only the page of the program changes anything, from this machine, by its own address."""

from pathlib import Path

import pytest
from helpers.label_pages import open_page, post_label, write_images

from caudex.core.errors import CaudexError
from caudex.serve.app import listen
from caudex.serve.labelling import Labelling


@pytest.fixture
def page():
    return open_page(write_images(Path("photos"), "1.png", "2.png"))


def contents():
    return {path: path.read_bytes() for path in Path("photos").iterdir()}


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1:8001", "localhost", "127.0.0.1", "", "127.0.0.1:8000.evil"]
)
@pytest.mark.parametrize("path", ["/", "/queue", "/images/0", "/static/page.css"])
def test_a_page_asked_by_another_name_is_refused(page, host, path):
    answer = page[0].get(path, headers={"host": host})
    assert answer.status_code == 403
    assert answer.json() == {"error": "this page is at http://127.0.0.1:8000/ alone, and for this machine alone."}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8001"}, 403),
        ({"origin": "http://localhost:8000"}, 403),  # another than the host
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"x-caudex-token": "wrong"}, 403),
        ({"x-caudex-token": "ä".encode()}, 403),
        ({}, 200),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
    ],
)
def test_a_change_needs_the_origin_and_the_token_of_the_page(page, headers, status):
    client, labelling = page
    body = {"number": 0, "label": "cat", "previous": ""}
    answer = client.post("/labels", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert Path("photos/labels.csv").exists() == (status == 200) == (labelling.count_written() == 1)


def test_a_change_without_an_origin_is_refused(page):
    client, _ = page
    del client.headers["origin"]
    assert "from the page of this program alone" in post_label(client, 0, "cat").json()["error"]


def test_get_changes_nothing_and_other_methods_do_nothing(page):
    client, _ = page
    before = contents()
    for path in ("/", "/queue", "/items/0", "/images/0", "/labels", "/labels?number=0&label=cat&previous="):
        assert client.get(path).status_code == (405 if "labels" in path else 200)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/labels").json() == {"error": f"{method} does nothing here."}
    assert contents() == before


@pytest.mark.parametrize("path", ["/", "/queue", "/images/0", "/static/label.js", "/nothing", "/images/7"])
def test_every_answer_has_the_security_headers(page, path):
    headers = page[0].get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["cache-control"] == "no-store" and "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 422, "not as the page sends it"),
        (b"\xff", 422, "not as the page sends it"),
        (b"[" * 60_000, 422, "not as the page sends it"),
        (b'{"number": -1, "label": "cat", "previous": ""}', 422, "Expected `int` >= 0"),
        (b'{"number": "0", "label": "cat", "previous": ""}', 422, "Expected `int`, got `str`"),
        (b'{"number": 0, "label": "cat"}', 422, "missing required field `previous`"),
        (b'{"number": 0, "label": "cat", "previous": "", "path": "/etc/passwd"}', 422, "unknown field `path`"),
        (b'{"number": 2, "label": "cat", "previous": ""}', 404, "the queue ends at image 2"),
        (b'{"number": 0, "label": "bird", "previous": ""}', 400, "'bird' is no class; the classes are cat, dog"),
        (b" " * 70_000, 413, "at most 65,536 bytes"),
    ],
)
def test_a_body_of_another_kind_is_refused_in_a_sentence(page, body, status, sentence):
    answer = page[0].post("/labels", content=body)
    assert answer.status_code == status and sentence in answer.json()["error"]
    assert not Path("photos/labels.csv").exists()


@pytest.mark.parametrize(
    "path", ["/images/../labels.csv", "/images/%2e%2e%2fx", "/images/-1", "/images/1.png", "/images/2"]
)
@pytest.mark.parametrize("static", ["", "/static"])
def test_images_are_named_by_number_alone(page, path, static):
    answer = page[0].get(static + path)
    assert answer.status_code == 404 and set(answer.json()) == {"error"}


def test_a_failure_of_the_program_is_a_sentence_too(page, monkeypatch):
    monkeypatch.setattr(Labelling, "describe", lambda self: 1 / 0)
    answer = page[0].get("/queue")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the program failed (ZeroDivisionError); its terminal says how."}
    assert "content-security-policy" in answer.headers


def test_a_port_that_is_taken_is_said_and_only_this_machine_is_served():
    with listen(0) as first:
        host, port = first.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(CaudexError, match=f"port {port} cannot be had .* give another: --port {port + 1}"):
            listen(port)
