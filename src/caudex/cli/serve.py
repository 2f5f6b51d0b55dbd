"""The command serve, and what the commands that open a local page share."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from caudex.cli.commands import ServeFlags
from caudex.cli.flags import parse_flags
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range


def import_app(command: str) -> ModuleType:
    """`caudex.serve.app`; CaudexError where a package of the extra `serve` is missing."""
    try:
        from caudex.serve import app
    except ModuleNotFoundError as error:
        package = error.name.split(".")[0]
        raise CaudexError(f"{command} needs the package {package}: pip install 'caudex[serve]'.") from None
    return app


def serve_command(words: Sequence[str]) -> None:
    flags = parse_flags(ServeFlags, words, "serve")
    check_range(flags, port=(1024, 65535))
    app = import_app("serve")
    from caudex.evaluation.players import load_game_agent, set_simulations
    from caudex.serve.board_game import BoardGame
    from caudex.serve.board_page import board_routes

    agent = load_game_agent(flags.run)
    set_simulations(agent, flags.simulations)
    agent.search(agent.game.initial(1), simulations=2)  # the first compiles, for seconds
    listener, board = app.listen(flags.port), BoardGame(agent, str(flags.run))
    print(f"{agent.game.name} against {flags.run}; Ctrl-C ends", flush=True)
    app.serve(app.create_app(board_routes(board), listener.getsockname()[1]), listener, flags.open)
    board.close()
    print(f"{counted(board.num_games(), 'game')} played")
