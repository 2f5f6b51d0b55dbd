"""The command ask: tasks that a language model was never trained for, by its prompt alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from caudex.cli.ask_files import TABLE_SUFFIXES, class_numbers, read_columns, read_examples, write_answers
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table, print_wrapped
from caudex.cli.texts import load_language_model
from caudex.core.errors import CaudexError, counted

if TYPE_CHECKING:
    from torch import Tensor

TASKS = ("sentiment", "winograd", "qa")
SHOWN_ROWS = 20


@dataclass
class AskFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of gpt, or of an imported language model"""
    source: Annotated[Positional[tuple[str, ...]], arg(metavar="FILE|TEXT")] = ()
    """a text; or a .csv or .jsonl with the columns text, label (sentiment), question, answer (qa), or of Winograd schemas in one of
    the known formats; nothing: the packaged ones of winograd and qa"""
    task: str = "qa"
    """sentiment, winograd or qa"""
    labels: str | None = None
    """of sentiment: other classes and the word that stands for each, such as good=great,bad=terrible"""
    prompt: str | None = None
    """of sentiment: your own prompt, or a file with one, {text} where the text stands; the class's word comes behind it"""
    shots: int | None = None
    """examples before each text or question; default: none of sentiment, three of qa"""
    examples: str | None = None
    """of sentiment: labelled texts, a .csv or .jsonl, a folder with one folder a class, or a packaged set; the shots are drawn from them,
    and the others fit the threshold"""
    draws: int = 5
    """how many times the shots are drawn from --examples"""
    calibrate: str = "auto"
    """of sentiment: median (of the texts; assumes that the classes are equally frequent), empty (what the model says of no text),
    threshold (fitted on --examples), none; auto takes threshold with --examples, median from 20 texts on, else empty"""
    to: Path | None = None
    """write all answers there, as .csv"""
    seed: int = 0
    """the shots follow from it"""


def ask_command(words: Sequence[str]) -> None:
    flags = parse_flags(AskFlags, words, "ask")
    from caudex.core.ranges import check_range
    from caudex.core.seeds import check_seed

    if flags.task not in TASKS:
        raise CaudexError(f"--task {flags.task} is unknown; choose {', '.join(TASKS)}.")
    foreign = {"winograd": ("labels", "prompt", "examples", "shots"), "qa": ("labels", "prompt", "examples")}
    for name in foreign.get(flags.task, ()):
        if getattr(flags, name) is not None:
            raise CaudexError(f"--task {flags.task} has no --{name}; leave it out, or take --task sentiment.")
    check_seed(flags.seed)
    check_range(flags, shots=(0, 1000), draws=(1, 100))
    check_new_file("--to", flags.to, ".csv")
    source = " ".join(flags.source)
    is_table = len(flags.source) == 1 and Path(source).suffix.lower() in TABLE_SUFFIXES
    file = Path(source) if is_table and Path(source).is_file() else None
    if is_table and not file and " " not in source:
        raise CaudexError(f"{source} is not there; give a file that is, or a text.")
    {"sentiment": ask_sentiment, "winograd": ask_winograd, "qa": ask_questions}[flags.task](flags, source, file)


def ask_sentiment(flags: AskFlags, source: str, file: Path | None) -> None:
    from caudex.models.prompting import classification, prompts

    if not source:
        raise CaudexError(
            "say of which text, or give a .csv or .jsonl with the column text, and label where it is known."
        )
    if flags.calibrate not in classification.CALIBRATIONS:
        raise CaudexError(f"--calibrate {flags.calibrate} is unknown; choose {', '.join(classification.CALIBRATIONS)}.")
    prompt = _make_prompt(flags, prompts)
    rows = read_columns(file, "text", "label") if file else [("", source, "")]
    texts = [text for _, text, _ in rows]
    labels = class_numbers(rows, prompt.classes)
    examples = read_examples(flags.examples, prompt.classes, texts) if flags.examples else None
    num_shots = (flags.shots or 0) if examples else 0
    model = _load_model(flags)
    result = classification.classify(
        model, prompt, texts, flags.calibrate, examples, num_shots, flags.draws, flags.seed, "scoring"
    )
    for note in _notes(model, prompt, result, num_shots or len(prompt.shots)):
        print(f"caudex: {note}.", file=sys.stderr)
    probabilities = result.probabilities.mean(0)  # of the draws, [N, K]
    answers = [prompt.classes[i] for i in probabilities.argmax(1).tolist()]
    header = ("text", "answer", *prompt.classes)
    write_answers(flags.to, header, ([text, a, *row] for text, a, row in zip(texts, answers, probabilities.tolist())))
    cells = [
        (text[:60], answer, f"{share:.1%}")
        for text, answer, share in zip(texts[:SHOWN_ROWS], answers, probabilities.amax(1).tolist())
    ]
    print_table([("text", "answer", "probability"), *cells])
    print_wrapped(_describe_calibration(result.kind, len(texts)))
    if len(texts) > 1:
        shares = ", ".join(f"{name} {answers.count(name) / len(answers):.1%}" for name in prompt.classes)
        print_wrapped(f"answered: {shares}")
    _print_scores(prompt.classes, labels, result.probabilities, num_shots)


def ask_winograd(flags: AskFlags, source: str, file: Path | None) -> None:
    from caudex.models.prompting.schema_files import read_schemas
    from caudex.models.prompting.winograd import packaged_schemas, resolve_pronouns

    if source and not file:
        raise CaudexError(
            f"{source!r} is no {', '.join(TABLE_SUFFIXES)}; give one with the columns sentence (with _ for the pronoun), candidates "
            "(a|b) and answer, or nothing for the packaged ones."
        )
    schemas, num_left_out = read_schemas(file) if file else (packaged_schemas(), 0)
    if num_left_out:
        print(
            f"caudex: left out, with one candidate or not one that is right: {counted(num_left_out, 'sentence')}.",
            file=sys.stderr,
        )
    predictions = resolve_pronouns(_load_model(flags), schemas, "scoring")
    rows = [
        (f"{schema.before}_{schema.after}", *(schema.candidates[i] for i in prediction))
        for schema, prediction in zip(schemas, predictions)
    ]
    write_answers(flags.to, ("sentence", "full", "partial"), rows)
    print_table([("sentence", "full", "partial"), *((row[0][:120], *row[1:]) for row in rows[:SHOWN_ROWS])])
    answered = [(schema, prediction) for schema, prediction in zip(schemas, predictions) if schema.answer is not None]
    if answered:
        chance = sum(1 / len(schema.candidates) for schema, _ in answered) / len(answered)
        for score in ("full", "partial"):
            is_correct = [getattr(prediction, score) == schema.answer for schema, prediction in answered]
            print_wrapped(f"{score}: {describe_score(is_correct)}; {compare_with_chance(is_correct, chance)}")


def ask_questions(flags: AskFlags, source: str, file: Path | None) -> None:
    from caudex.models.prompting.packaged_questions import QA_EXAMPLES, QUESTIONS
    from caudex.models.prompting.questions import answer_questions, is_correct_answer

    num_shots = len(QA_EXAMPLES) if flags.shots is None else flags.shots
    if num_shots > len(QA_EXAMPLES):
        raise CaudexError(f"--shots {num_shots}: there are {len(QA_EXAMPLES)} examples of questions; take fewer.")
    pairs = [(question, truth) for _, question, truth in read_columns(file, "question", "answer")] if file else []
    pairs = pairs or ([(source, "")] if source else list(QUESTIONS))
    questions = [question for question, _ in pairs]
    answers = answer_questions(_load_model(flags), questions, num_shots, progress="answering")
    rows = []
    for (question, truth), answer in zip(pairs, answers):
        verdict = ("right" if is_correct_answer(answer.text, truth) else "wrong") if truth else ""
        rows.append((question, answer.text, answer.probability, verdict))
    write_answers(flags.to, ("question", "answer", "probability", "verdict"), rows)
    is_correct = [verdict == "right" for *_, verdict in rows if verdict]
    width = 4 if is_correct else 3  # without a column of verdicts where no answer is known
    cells = [(question[:50], answer[:50], f"{share:.1%}", verdict)[:width] for question, answer, share, verdict in rows]
    print_table([("question", "answer", "probability", "")[:width], *cells])
    if is_correct:
        print_wrapped(describe_score(is_correct))


def _load_model(flags: AskFlags):
    return load_language_model(flags.run, "next-token", "score texts")


def _make_prompt(flags: AskFlags, prompts):
    """The prompt of the flags, with the packaged examples where --shots takes them."""
    template = prompts.read_template(flags.prompt) if flags.prompt else prompts.SENTIMENT_TEMPLATE
    words = prompts.parse_label_words(flags.labels) if flags.labels else prompts.SENTIMENT_WORDS
    shots = ()
    if flags.shots and not flags.examples:
        shots = prompts.SENTIMENT_EXAMPLES[: flags.shots]
        if flags.labels or flags.prompt:
            raise CaudexError(
                "the packaged examples are for the packaged prompt and labels; give yours by --examples FILE."
            )
        if flags.shots > len(shots):
            raise CaudexError(
                f"--shots {flags.shots}: {len(shots)} examples come with caudex; take fewer, or give yours by --examples FILE."
            )
    return prompts.ClassificationPrompt(template, words, shots)


def _notes(model, prompt, result, num_shots: int) -> list[str]:
    from caudex.models.prompting.prompts import word_lengths

    notes = []
    if result.num_shots < num_shots:
        notes.append(
            f"the context of {model.trunk.context:,} tokens holds {counted(result.num_shots, 'example')} of {num_shots}"
        )
    if result.num_truncated:
        notes.append(
            f"of {counted(result.num_truncated, 'text')} the end does not fit into the context and was left out"
        )
    if longer := [f"{word!r} {count}" for word, count in word_lengths(model, prompt).items() if count > 1]:
        notes.append(f"words of several tokens are scored by all of them: {', '.join(longer)}")
    return notes


def _describe_calibration(kind: str, num_texts: int) -> str:
    return {
        "median": f"calibrated by the median of {counted(num_texts, 'text')}, which assumes that the classes are equally frequent; "
        "if they are not, give labelled texts by --examples FILE",
        "threshold": "calibrated by a threshold that was fitted on the examples",
        "empty": "calibrated by what the model says of three texts without content, which is uncertain; from 20 texts on their median "
        "is better, and labelled texts by --examples FILE",
        "none": "not calibrated: the model may prefer a word whatever the text",
    }[kind]


def _print_scores(classes: tuple[str, ...], labels: Tensor, probabilities: Tensor, num_shots: int) -> None:
    """Accuracy of the draws [D, N, K] where labels are known, and AUC of two classes."""
    from sklearn.metrics import roc_auc_score

    from caudex.evaluation.intervals import t_interval

    is_labelled = labels >= 0
    truth, labelled = labels[is_labelled], probabilities[:, is_labelled]
    if not len(truth):
        return
    is_correct = labelled.mean(0).argmax(1) == truth
    counts = truth.bincount(minlength=len(classes))
    majority = f"always {classes[counts.argmax()]} {counts.max() / len(truth):.1%}"
    print_wrapped(f"{describe_score(is_correct.tolist())}; chance {1 / len(classes):.1%}, {majority}")
    if len(classes) == 2 and counts.min():
        aucs = [roc_auc_score((truth == 0).numpy(), draw[:, 0].numpy()) for draw in labelled]
        print_wrapped(f"AUC {sum(aucs) / len(aucs):.3f}")
    if len(labelled) > 1:
        mean, low, high = t_interval((labelled.argmax(2) == truth).double().mean(1).tolist())
        print_wrapped(
            f"accuracy of one draw of {counted(num_shots, 'example')}: {mean:.1%} ({low:.1%} to {high:.1%} over {len(labelled)} draws); "
            "the answers above are by the mean of the draws"
        )


def describe_score(is_correct: list[bool]) -> str:
    """How many are right, with the standard error and the 95% interval."""
    from caudex.evaluation.intervals import wilson_interval

    count, share = len(is_correct), sum(is_correct) / len(is_correct)
    low, high = wilson_interval(share, count)
    error = (share * (1 - share) / count) ** 0.5
    return f"{sum(is_correct)} of {count} right, {share:.1%} (standard error {error:.1%}, 95% interval {low:.1%} to {high:.1%})"


def compare_with_chance(is_correct: list[bool], chance: float) -> str:
    from caudex.evaluation.intervals import wilson_interval

    low, high = wilson_interval(sum(is_correct) / len(is_correct), len(is_correct))
    verdict = "above it" if low > chance else "below it" if high < chance else "not shown to differ from it"
    return f"chance {chance:.1%}: {verdict}"
