"""The page of a board: what it may ask for, by the version of the game that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from caudex.core.typed_json import Count
from caudex.serve.app import read_json, render
from caudex.serve.board_game import BoardGame, GameConflict
from caudex.serve.labelling import escape_invisible

MEDIA_TYPES = {".sgf": "application/x-go-sgf", ".pgn": "application/x-chess-pgn", ".txt": "text/plain"}


class Change(Struct, forbid_unknown_fields=True):
    """A change of the game that the page showed as `version`."""

    version: Count


class Move(Change):
    """A legal move by its number, or by its name."""

    action: Count | None = None
    text: Annotated[str, Meta(max_length=200)] = ""


class Players(Change):
    humans: tuple[bool, bool]
    simulations: Count


def board_routes(board: BoardGame) -> list[BaseRoute]:
    """/ is the page; /game, /stamp and /record are read by it; POST to the others changes the game, and gives it as it is then."""

    def page(request: Request) -> Response:
        title = f"{board.game.name} · {escape_invisible(board.name)}"
        return render(request, "board.html", title=title)

    def game(request: Request) -> Response:
        return JSONResponse(board.describe())

    def stamp(request: Request) -> Response:
        return JSONResponse(board.stamp())

    def record(request: Request) -> Response:
        suffix = board.describe()["suffix"]
        headers = {"content-disposition": f'attachment; filename="games{suffix}"'}
        return Response(board.record(), media_type=MEDIA_TYPES[suffix], headers=headers)

    def change(kind: type[Change], apply: Callable) -> Callable:
        async def endpoint(request: Request) -> Response:
            body = await read_json(request, kind)
            try:
                await run_in_threadpool(apply, body)
            except GameConflict:
                return JSONResponse({"game": await run_in_threadpool(board.describe)}, 409)
            return JSONResponse(await run_in_threadpool(board.describe))

        return endpoint

    def move(body: Move) -> None:
        if body.action is None:
            board.play_text(body.version, body.text)
        else:
            board.play(body.version, body.action)

    changes = {
        "/moves": change(Move, move),
        "/replies": change(Change, lambda body: board.reply(body.version)),
        "/hints": change(Change, lambda body: board.hint(body.version)),
        "/returns": change(Change, lambda body: board.take_back(body.version)),
        "/games": change(Change, lambda body: board.begin(body.version)),
        "/players": change(Players, lambda body: board.set_players(body.version, list(body.humans), body.simulations)),
    }
    return [
        Route("/", page),
        Route("/game", game),
        Route("/stamp", stamp),
        Route("/record", record),
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in changes.items()),
    ]
