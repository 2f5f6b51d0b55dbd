"""Commands for environments: play, meta-test."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import make_dataclass

from caudex.cli.commands import MetaTestFlags, PlayFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table
from caudex.core.errors import CaudexError


def play_command(words: Sequence[str]) -> None:
    flags = parse_flags(PlayFlags, words, "play")
    from caudex.core.ranges import check_range
    from caudex.core.seeds import check_seed

    check_range(flags, episodes=(1, 100_000))
    check_seed(flags.seed)
    check_new_file("--video", flags.video, ".mp4")
    check_new_file("--video", flags.video and flags.video.with_suffix(".png"))
    import numpy as np
    from PIL import Image

    from caudex.cli.games import GAME_FLAGS, play_games, refuse_flags
    from caudex.core.disk import write_atomically
    from caudex.core.system import load
    from caudex.envs import join_env_name
    from caudex.evaluation.plots.contact_sheet import contact_sheet
    from caudex.evaluation.plots.video import write_video
    from caudex.evaluation.returns import format_return_summary, summarize_returns
    from caudex.experience import Recording
    from caudex.models.agent import Agent
    from caudex.models.game_agent import GameAgent

    agent = load(flags.run, flags.best)
    if isinstance(agent, GameAgent):
        play_games(agent, flags)
        return
    refuse_flags(flags, GAME_FLAGS, f"{flags.run} plays no board game")
    check_new_file("--record", flags.record, ".npz")
    if not isinstance(agent, Agent):
        raise CaudexError(
            f"{flags.run} holds nothing that acts in an environment; give a run of ppo or dqn, for example; one of rl2 is for "
            "`caudex meta-test`."
        )
    env = join_env_name(flags.env or agent.env, flags.env_args, flags.wrap)
    recording = Recording() if flags.record else None
    episodes = agent.play_episodes(flags.episodes, flags.seed, not flags.drawn, env, recording=recording)
    summary = summarize_returns(np.array([episode.total_reward for episode in episodes]))
    if recording:
        recording.write(flags.record, flags.episodes)
    header = ("episodes", "mean return", "95% interval", "worst", "best")
    print_table([header, (f"{flags.episodes:,}", *format_return_summary(summary))])
    if flags.video:
        images, episode_return, fps = agent.record_images(flags.seed, not flags.drawn, env)
        write_video(images, flags.video, fps)
        image = io.BytesIO()
        Image.fromarray(contact_sheet(images)).save(image, "png")
        write_atomically(flags.video.with_suffix(".png"), image.getvalue())
        print(
            f"a further episode, which earned {episode_return:,.1f}: {flags.video}, {flags.video.with_suffix('.png')}"
        )


def meta_test_command(words: Sequence[str]) -> None:
    from caudex.envs.meta.trials import TaskSettings  # not before: the first screens come without NumPy

    flags = parse_flags(
        make_dataclass("MetaTest", [], bases=(MetaTestFlags, TaskSettings), kw_only=True), words, "meta-test"
    )
    if not 2 <= flags.tasks <= 1_000_000:
        raise CaudexError(f"--tasks {flags.tasks} is out of range; it must be between 2 and 1,000,000.")
    from caudex.core.run import Run
    from caudex.core.seeds import check_seed
    from caudex.core.system import load
    from caudex.evaluation.meta_test import evaluate_new_tasks, statistics_rows
    from caudex.evaluation.plots.maze_paths import plot_maze_paths
    from caudex.evaluation.plots.regret import plot_regret
    from caudex.models.meta_agent import MetaAgent

    check_seed(flags.seed)
    agent = load(flags.run)
    if not isinstance(agent, MetaAgent):
        raise CaudexError(f"{flags.run} did not learn to learn; give a run of rl2.")
    settings = flags.task_settings() | ({"env": flags.env} if flags.env else {})
    statistics = evaluate_new_tasks(agent, flags.tasks, flags.seed, flags.likeliest, **settings)
    trials = agent.make_trials(1, **settings)
    print_table(statistics_rows(trials, statistics))
    if trials.name == "bandits":
        plot_regret(Run(flags.run), agent, statistics, flags.seed, **settings)
    if trials.name == "mazes" and trials.num_episodes > 1:
        plot_maze_paths(Run(flags.run), agent, statistics["rl2"], flags.seed, flags.likeliest, **settings)
