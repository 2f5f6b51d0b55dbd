"""The commands and their flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

COMMANDS = {
    "list": "systems and signals, and which to take; list envs, list games",
    "train": "SYSTEM [settings]: train, measure, report",
    "labels-saved": "[--data FOLDER] [settings]: how many labels each signal saves",
    "probe": "RUN [--data FOLDER] [settings]: what its features are worth",
    "claim": "SYSTEM [settings] | --gather RUN...: measure its claim",
    "resume": "RUN [--trust]: go on with a training or claim that was stopped",
    "predict": "RUN FILES...: file, class, confidence; --top 3, --csv FILE",
    "embed": "FOLDER --to features.npy: features of a pretrained trunk",
    "advise": "FOLDER|CSV: which method, and what more labels are worth",
    "doctor": "FOLDER|CSV: wrong labels, duplicates, leaks, off-topic images",
    "suggest": "RUN FOLDER [--count 50]: which images to label next",
    "audit": "RUN FOLDER [--count 50]: which to label for an honest accuracy",
    "label": "FOLDER [--queue FILE]: a local page to label images by keyboard",
    "meta-test": "RUN [--tasks 1000] [sizes]: new tasks, beside classical ways",
    "play": "RUN [--video out.mp4]: act; a board game: [--opponent mcts-1000]",
    "serve": "RUN [--port 8000]: a local page to play its board game",
    "render": "FOLDER [--count 400]: a table-top path-traced, with positions",
    "generate": "RUN PROMPT: go on with a text",
    "fill": "RUN TEXT: tell what [MASK] hides, or what follows",
    "ask": "RUN --task sentiment|winograd|qa FILE|TEXT: by prompt alone",
    "import": "MODEL: a public language model becomes a run",
    "search": "TEXTS QUERY: find by meaning, and by words",
    "solve": "INTEGRAND [--seconds 5]: an antiderivative, verified",
    "report": "RUN: write report.html, one file with all figures",
    "compare": "RUN RUN...: results, cost, settings; over environments and seeds",
    "export": "RUN [--to FOLDER]: ONNX and safetensors",
}


@dataclass
class ListFlags:
    topic: Annotated[Positional[str], arg(metavar="[envs|games]")] = ""
    """envs: what --env can be; games: board games"""


@dataclass
class TrainFlags:
    run: Path | None = None
    """folder of the run; default: the next free runs/SYSTEM-N"""
    scale: str = "laptop"
    """a named set of settings: tiny (seconds), laptop (minutes on two cores), and others where they stand above"""


@dataclass
class ClaimFlags(TrainFlags):
    seeds: int = 5
    """how many seeds, each with its own draw of labels"""
    first_seed: int = 0
    """the first of them"""
    over: str | None = None
    """measure for several values of a setting: NAME=V1,V2,... such as labels-per-class=1,4,10,25"""
    workers: int = 1
    """seeds measured at the same time, each in a process with its share of the threads"""


@dataclass
class GatherFlags:
    gather: tuple[Path, ...]
    """folders of claims, and claim.json files of their seeds, as results/pieces/ keeps them"""
    run: Path | None = None
    """folder of the claim of all; default: the next free runs/claim-SYSTEM-N"""


@dataclass
class ResumeFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder; one that you did not make on this machine is gone on with by --trust alone"""
    trust: bool = False
    """go on with what another made, or changed: first read the list of data, addresses, environments and threads that
    `caudex resume RUN` prints without it; from then on the run counts as yours"""
    env: str | None = None
    """with --trust, where the environment is code (module:NAME): say its name once more, and it is imported"""


@dataclass
class PredictFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder"""
    files: Annotated[Positional[tuple[str, ...]], arg(metavar="FILES...")]
    """images or texts, or folders of them; - reads a list of these from standard input, one a line"""
    top: int = 1
    """classes to show, the likeliest first"""
    csv: Path | None = None
    """write file,class,confidence there instead of a table, as they come; - writes to standard output"""
    probabilities: bool = False
    """with --csv, also a column for each class"""
    max_pixels: int | None = None
    """of an image file; one of more is skipped, as a decompression bomb may be; default: 89,478,485"""


@dataclass
class EmbedFlags:
    files: Annotated[Positional[tuple[str, ...]], arg(metavar="FOLDER...")]
    """images, or folders of them"""
    to: Path | None = None
    """file of the features: .npy (fields file and features), .csv (a column a feature) or .parquet (pyarrow)"""
    trunk: str = "efficientnet-lite0"
    """the pretrained trunk"""
    size: int = 0
    """side of the images in pixels; 0 takes the trunk's own"""


@dataclass
class ImagesFlags:
    data: Annotated[Positional[str | None], arg(metavar="FOLDER|CSV")] = None
    """images as every training takes them: a folder, a .csv, an .npz, the name of a packaged set"""
    labels: str | None = None
    """a CSV file path,label for the images of the folder"""
    trunk: str = "auto"
    """on whose features labels are judged: efficientnet-lite0 for colour images, pixels for others; or another pretrained trunk"""
    size: int = 0
    """side of the images in pixels; 0 takes the trunk's own"""
    pad: bool = False
    """fit each image whole into the square"""
    seed: int = 0
    """everything random follows from it"""
    run: Path | None = None
    """folder of report.html; default: the next free runs/COMMAND-N"""


@dataclass
class AdviseFlags(ImagesFlags):
    data: Annotated[Positional[str | None], arg(metavar="FOLDER|CSV")] = None
    """images as every training takes them; or texts: a .csv or .jsonl with a column of texts, or the name of a packaged set"""
    text: str = "text"
    """of texts: the column that holds them"""
    label: str = "label"
    """of texts: the column of their classes"""
    more: int = 50
    """labels that you might add"""
    repeats: int = 1
    """divisions of the labels into four folds: eight trials of each method a division"""


@dataclass
class QueueFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of a classifier of images"""
    data: Annotated[Positional[str | None], arg(metavar="FOLDER")] = None
    """images as every training takes them; those that have a label already are not chosen"""
    count: int = 50
    """images to choose"""
    labels: str | None = None
    """a CSV file path,label of those that have one already"""
    csv: Path | None = None
    """write path,label,suggestion,reason there, for `caudex label --queue` or by hand"""


@dataclass
class SuggestFlags(QueueFlags):
    by: str = "both"
    """margin: between whose two likeliest classes the model decides least; core-set: the farthest from all that are labelled or chosen;
    both: typical of all kinds of image, the more the less the model decides"""


@dataclass
class AuditFlags(QueueFlags):
    audited: str | None = None
    """a CSV file path,label of those that were chosen before, with the same --count and --seed: prints the accuracy"""
    seed: int = 0
    """of the draw"""


@dataclass
class LabelFlags:
    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """of images"""
    queue: Path | None = None
    """a table of the images to look at, path,label,suggestion,reason; default: every image that has no label"""
    labels: Path | None = None
    """the table of labels, path,label, that is read and written; default: FOLDER/labels.csv"""
    classes: tuple[str, ...] = ()
    """to choose from; default: those of the table, or of folders that name classes"""
    port: int = 8000
    """of this machine alone"""
    open: bool = False
    """open the page in a browser"""


@dataclass
class PlayFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of ppo, or of another system that acts; of alpha-zero, to play its game"""
    episodes: int = 20
    """to be played"""
    seed: int = 0
    """the same seed begins the same episodes, or games"""
    drawn: bool = False
    """draw actions by their probabilities, instead of the likeliest"""
    env: str | None = None
    """another environment with the same observations and actions"""
    env_args: tuple[str, ...] = ()
    """key=value: further arguments that the environment is made with"""
    wrap: tuple[str, ...] = ()
    """module:function: further wrappers around the environment"""
    best: bool = False
    """the policy that earned most when it was evaluated, where it was trained with --evaluate-every, instead of the last"""
    record: Path | None = None
    """write what was seen, done and earned in all episodes there, as .npz: observations as the environment gives them, actions, rewards;
    of a board game the games, as .sgf (Go), .pgn (chess) or .txt"""
    video: Path | None = None
    """film one episode there, as .mp4, and as a sheet of images beside it, as .png"""
    opponent: str = "human"
    """of a board game: human, random, mcts-N (UCT with N random rollouts a move), solver (connect-four), or another run of the game"""
    games: int = 20
    """of a board game against others than a human; each side begins half of them"""
    second: bool = False
    """of a board game: the human moves second"""
    simulations: int | None = None
    """of a board game: simulations of each move; default: as many as in training"""
    opening_moves: int | None = None
    """of a board game: random moves before the players take over, the same in both games of a pair; default: 2 against another run,
    which would else repeat one game, 0 against all others"""


@dataclass
class ServeFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of alpha-zero"""
    simulations: int | None = None
    """simulations of each move, which the page can change; default: as many as in training"""
    port: int = 8000
    """of this machine alone"""
    open: bool = False
    """open the page in a browser"""


@dataclass
class RenderFlags:
    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """to be made: images, and positions.csv for `caudex train localization --photos FOLDER`"""
    count: int = 400
    """images"""
    size: int = 64
    """side of the images in pixels"""
    samples: int = 64
    """rays a pixel; fewer are faster and grainier"""
    seed: int = 0
    """of places, objects and looks"""
    renderer: Literal["mitsuba", "mujoco"] = "mitsuba"
    """mitsuba: proxy reality; mujoco: the same scenes as trainings see them, with random looks"""
    shape: str = "cone"
    """of the object of interest"""
    scene: str = "tabletop"
    """tabletop (packaged), or a file in MuJoCo's format, MJCF"""
    object_name: str = "object"
    """the body to find, in a scene of your own"""
    table_name: str = "table"
    """the geom that it stands on there, a box or a plane"""
    camera_name: str = ""
    """the camera there; the first by default"""


@dataclass(kw_only=True)
class MetaTestFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of rl2"""
    tasks: int = 1000
    """new tasks, none of which it learned from"""
    seed: int = 0
    """the same seed has the same tasks"""
    likeliest: bool = False
    """take the likeliest action, instead of drawing by their probabilities"""
    env: str | None = None
    """other tasks with the same observations and actions; sizes below that are not given are those it learned with"""


@dataclass
class SolveFlags:
    problem: Annotated[Positional[str], arg(metavar="INTEGRAND")] = ""
    """in x: 'x*cos(x**2)', or LaTeX: '\\int x \\cos x^2 dx'"""
    all: Path | None = None
    """instead, a file with one problem a line"""
    seconds: float = 5
    """for each problem, all solvers together; the start of a solver's process does not count"""
    json: bool = False
    """one JSON object a problem: answer, how it was checked, by which solver, seconds"""


@dataclass
class ReportFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder"""


@dataclass
class CompareFlags:
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN RUN...")]
    """run folders; those that learned from reward, and their claims, share a column where only environments and seeds differ"""
    figure: Path | None = None
    """of those: draw their performance profiles there, as .png"""


@dataclass
class ExportFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder"""
    to: Path | None = None
    """where to write; default: RUN/export"""
    adapter: Path | None = None
    """instead, the LoRA adapter that the run trained, to this folder; peft opens it"""
