"""The command label as a process, and Debian's chromium to press its keys."""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from helpers.command_line import CAUDEX

expect.set_options(timeout=20_000)  # milliseconds; a page beside other tests takes its time

CHROMIUM = Path("/usr/bin/chromium")
SIZES = {1280: 800, 390: 844}


@contextlib.contextmanager
def chromium():
    if not CHROMIUM.exists():
        pytest.fail("chromium is missing: apt-get install -y --no-install-recommends chromium", pytrace=False)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextlib.contextmanager
def label_process(*words):
    """Its address, and what it has printed once it was stopped by Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*CAUDEX, "label", *words, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    printed = [process.stdout.readline(), process.stdout.readline()]
    assert printed[-1] == f"http://127.0.0.1:{port}/\n", printed
    try:
        yield printed[-1].strip(), printed
    finally:
        process.send_signal(signal.SIGINT)
        printed += process.communicate(timeout=30)[0].splitlines()
        assert process.returncode == 0, printed


@contextlib.contextmanager
def open_tab(browser, address, width=1280, **options):
    """A tab in which every error of the page fails the test."""
    context = browser.new_context(viewport={"width": width, "height": SIZES[width]}, **options)
    tab, problems = context.new_page(), []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("dialog", lambda dialog: problems.append(dialog.message))
    tab.goto(address)
    yield tab
    context.close()
    assert [problem for problem in problems if "status of 40" not in problem] == []  # what the page reports by itself


def assert_shows(tab, position, **texts):
    """The image that can be labelled now, and the texts of elements by their ids."""
    expect(tab.locator("main[data-state=ready] #position")).to_have_text(position)
    for name, text in texts.items():
        expect(tab.locator(f"#{name}")).to_contain_text(text)
