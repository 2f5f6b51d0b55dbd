"""The board in a browser: by keyboard and by clicks, wide and narrow, in two tabs."""

import pytest
from helpers.board_pages import serve_board
from helpers.browser import SIZES, chromium, open_tab
from helpers.game_agents import UniformAgent
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def expect_moves(tab, count, state="ready"):
    expect(tab.locator(f"main[data-state={state}] #moves li")).to_have_count(count)


@pytest.mark.parametrize("width", SIZES)
def test_connect_four_by_keyboard_alone(browser, width):
    with serve_board(UniformAgent(simulations=20)) as (address, board), open_tab(browser, address, width) as tab:
        expect(tab.locator("#status")).to_have_text("Red to move: you")
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        expect(tab.locator("#board svg")).to_be_in_viewport(ratio=1)
        tab.keyboard.press("4")
        expect_moves(tab, 2)
        expect(tab.locator("svg .count")).not_to_have_count(0)
        expect(tab.locator("#chance-first")).to_contain_text("Red ")
        tab.keyboard.press("v")
        expect(tab.locator("svg .count")).to_have_count(0)
        tab.keyboard.press("u")
        expect_moves(tab, 0)
        tab.keyboard.press("h")
        expect(tab.locator("#search-title")).to_contain_text("Search before move 1: win chance of Red")
        tab.keyboard.press("ArrowLeft")
        tab.keyboard.press("Enter")
        expect_moves(tab, 2)
        tab.keyboard.press("m")
        tab.keyboard.type("9")
        tab.keyboard.press("Enter")
        expect(tab.locator("#notice")).to_have_text("'9' is not a legal move. Legal: 1, 2, 3, 4, 5, 6, 7.")
        tab.keyboard.press("Backspace")
        tab.keyboard.type("2")
        tab.keyboard.press("Enter")
        expect_moves(tab, 4)
        expect(tab.locator("#notice")).to_be_hidden()
        tab.keyboard.press("Escape")
        tab.keyboard.press("n")
        expect_moves(tab, 0)
        assert board.num_games() == 1


def test_go_by_clicks_with_passes_and_a_download(browser):
    with serve_board(UniformAgent("go-5", 8)) as (address, board), open_tab(browser, address) as tab:
        tab.locator("[data-cell='12']").click()
        expect_moves(tab, 2)
        assert board.names[0] == "C3"
        expect(tab.locator("[data-cell='12']")).to_have_attribute("aria-label", "C3, Black")
        tab.locator("[data-cell='12']").click()
        expect(tab.locator("#notice")).to_have_text("That is not a legal move here.")
        tab.locator("#choices button").click()
        expect_moves(tab, 4)
        with tab.expect_download() as download:
            tab.locator("#record").click()
        assert download.value.suggested_filename == "games.sgf"
        assert ";B[cc]" in download.value.path().read_text()


def test_chess_by_clicks_promotes_and_turns_the_board(browser):
    with serve_board(UniformAgent("chess", 2)) as (address, board):
        board.humans = [True, True]
        for move in ["e2e4", "d7d5", "e4d5", "c7c6", "d5c6", "a7a6", "c6b7", "a6a5"]:
            board.play_text(board.version, move)
        with open_tab(browser, address) as tab:
            tab.locator("[data-cell='9']").click()  # b7
            expect(tab.locator(".target")).to_have_count(2)  # a8 and c8 can be taken
            tab.locator("[data-cell='0']").click()
            expect(tab.locator("#choices button")).to_have_text(["b7a8q", "b7a8r", "b7a8b", "b7a8n"])
            tab.keyboard.press("Enter")
            expect_moves(tab, 9)
            assert board.names[-1] == "b7a8q"
            tab.locator("#players").select_option("Black")
            expect(tab.locator("svg .label").first).to_have_text("h")


def test_two_tabs_see_the_same_game_and_a_late_move_is_refused(browser):
    with (
        serve_board(UniformAgent("tic-tac-toe", 16)) as (address, board),
        open_tab(browser, address) as tab,
        open_tab(browser, address, 390) as other,
    ):
        tab.locator("#players").select_option("both sides")
        expect(other.locator("#status")).to_have_text("X to move: a person")
        stamp = board.stamp()
        other.route("**/stamp", lambda route: route.fulfill(json=stamp))  # it does not see what happens
        tab.locator("[data-cell='4']").click()
        expect_moves(tab, 1)
        other.locator("[data-cell='0']").click()
        expect(other.locator("#notice")).to_contain_text("The game has gone on in another tab. Nothing was changed")
        expect(other.locator("#moves li")).to_have_count(1)
        assert board.names == ["b2"]


def test_the_run_plays_itself_and_a_game_without_a_drawing_is_text_and_buttons(browser):
    with (
        serve_board(UniformAgent("open_spiel:breakthrough?rows=4&columns=4", 4), "<b>run</b>") as (address, _),
        open_tab(browser, address, 390) as tab,
    ):
        expect(tab.locator("h1")).to_have_text("open_spiel:breakthrough · <b>run</b>")
        expect(tab.locator("#board pre")).to_contain_text("wwww")
        tab.locator("#choices button").first.click()
        expect_moves(tab, 2)
        tab.locator("#players").select_option("no side")
        expect(tab.locator("main[data-state=over] #status")).to_contain_text("wins")
