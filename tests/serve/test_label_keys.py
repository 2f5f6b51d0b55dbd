"""The page in a browser: keyboard alone, wide and narrow."""

from pathlib import Path

import pytest
from helpers.browser import SIZES, assert_shows, chromium, label_process, open_tab
from helpers.label_pages import write_images
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def table():
    return Path("photos/labels.csv").read_text()


@pytest.mark.parametrize("width", SIZES)
def test_images_are_labelled_by_keyboard_alone(browser, width):
    write_images(Path("photos"), "1.png", "2.png", "3.png", "4.png", side=200)
    Path("q.csv").write_text("path,label,suggestion,reason\n1.png,,,\n2.png,,dog,unsure\n3.png,,cat,\n4.png,,,\n")
    with (
        label_process("photos", "--queue", "q.csv", "--classes", "cat", "dog") as (address, printed),
        open_tab(browser, address, width) as tab,
    ):
        assert_shows(tab, "image 1 of 4 · 0 done")
        assert tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
            width,
            SIZES[width],
        ]
        for name in (".class >> nth=1", "#skip", "#frame img"):  # all on one screen
            expect(tab.locator(name)).to_be_in_viewport(ratio=1)
        tab.keyboard.press("1")
        assert_shows(tab, "image 2 of 4 · 1 done", suggestion="Accept dog", reason="unsure")
        assert table() == "path,label\n1.png,cat\n"
        tab.keyboard.press("Enter")
        assert_shows(tab, "image 3 of 4 · 2 done")
        tab.keyboard.press("Space")
        assert_shows(tab, "image 4 of 4 · 2 done")
        tab.keyboard.press("u")
        assert_shows(tab, "image 3 of 4 · 2 done")
        tab.keyboard.press("Backspace")
        assert_shows(tab, "image 2 of 4 · 1 done")
        assert table() == "path,label\n1.png,cat\n"
        tab.keyboard.press("ArrowLeft")
        assert_shows(tab, "image 1 of 4 · 1 done", name="1.pngcat")
        expect(tab.locator(".class >> nth=0")).to_have_attribute("aria-pressed", "true")
        tab.keyboard.press("2")
        assert_shows(tab, "image 2 of 4 · 1 done")
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("ArrowRight")  # perhaps too early, and then not taken
        tab.reload()
        tab.keyboard.press("ArrowRight")
        expect(tab.locator("main[data-state=ready] #position")).to_contain_text("1 done")
        while "image 4" not in tab.locator("#position").text_content():
            tab.keyboard.press("ArrowRight")
            tab.wait_for_selector("main[data-state=ready]")
        tab.keyboard.press("s")
        expect(tab.locator("#frame")).to_contain_text("3 images are still without a decision.")
        tab.keyboard.press("Enter")
        assert_shows(tab, "image 2 of 4 · 1 done")
        tab.keyboard.press("Tab")
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.keyboard.press("Enter")  # the button that has the focus: accept
        for number in (3, 4):
            assert_shows(tab, f"image {number} of 4 · {number - 1} done")
            tab.keyboard.press("1")
        expect(tab.locator("#frame")).to_contain_text("All done")
    assert table() == "path,label\n1.png,dog\n2.png,dog\n3.png,cat\n4.png,cat\n"
    assert printed[-1] == (
        "4 labels written to photos/labels.csv; next: caudex train noisy-student --data photos --labels photos/labels.csv"
    )


def test_other_tabs_edits_vanished_files_and_hostile_names_are_shown(browser):
    write_images(Path("photos"), "1.png", "2.png", "3.png", "<img src=x onerror=alert(1)>.png", side=200)
    with (
        label_process("photos", "--classes", "cat", "<b onclick=alert(2)>dog", "c") as (address, printed),
        open_tab(browser, f"{address}#2") as tab,
        open_tab(browser, f"{address}#2") as other,
    ):
        for each in (tab, other):
            assert_shows(each, "image 2 of 4 · 0 done", classes="<b onclick=alert(2)>dog")
        tab.keyboard.press("1")
        assert_shows(tab, "image 3 of 4 · 1 done")
        other.keyboard.press("3")
        assert_shows(other, "image 2 of 4 · 1 done", notice="Meanwhile this image was labelled cat elsewhere.")
        Path("photos/labels.csv").write_text("path,label,by\n1.png,cat,Ann\n")
        Path("photos/3.png").unlink()
        other.keyboard.press("ArrowRight")
        expect(other.locator("#frame")).to_contain_text("The file is no longer there.")
        expect(other.locator("#notice")).to_contain_text(
            "photos/labels.csv was edited by another program: 2 labels differ now."
        )
        other.keyboard.press("3")
        other.keyboard.press("s")
        assert_shows(other, "image 4 of 4 · 1 done", name="<img src=x onerror=alert(1)>.png")
        other.locator(".class >> nth=1").click()
        expect(other.locator("#frame")).to_contain_text("2 images are still without a decision.")
    assert table() == "path,label,by\n1.png,cat,Ann\n<img src=x onerror=alert(1)>.png,<b onclick=alert(2)>dog,\n"
    assert printed[-1].startswith("1 label written to photos/labels.csv; next: ")
