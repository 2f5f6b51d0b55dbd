"""What a language model answers by its prompt alone."""

from helpers.command_line import assert_refused, run_cli

from caudex.core.system import load
from caudex.models.prompting import WinogradSchema, answer_question, classify_sentiment, resolve_pronouns


def test_a_pronoun_is_whom_the_model_expects(gpt_run):
    model = load(gpt_run)
    schemas = [
        WinogradSchema("_ sat on the log.", ("the cat", "the dog")),
        WinogradSchema("_ sat on the mat.", ("the cat", "the dog")),
    ]
    assert [scores.partial for scores in resolve_pronouns(model, schemas)] == [1, 0]
    assert [scores.full for scores in resolve_pronouns(model, schemas)] == [1, 0]


def test_answers_and_sentiments_are_figures_even_where_the_model_knows_nothing(gpt_run):
    model = load(gpt_run)
    shares, shots = classify_sentiment(model, ["Good.", "Bad, very bad."], 4)
    assert shots == 0  # a context of 40 tokens holds none
    assert ((shares > 0) & (shares < 1)).all()
    answered, sure = answer_question(model, "Who?", 5)
    assert 0 <= sure <= 1 and "\n" not in answered


def test_asking_from_files_reports_how_many_are_right(gpt_run, tmp_path):
    file = tmp_path / "items.csv"
    file.write_text("sentence,candidates,answer\n_ sat on the log.,the cat|the dog,the dog\n")
    printed = run_cli("ask", gpt_run, "--task", "winograd", file).out
    assert "partial: 1 of 1 right" in printed and "guessing has 50%" in printed
    file.write_text("sentence,candidates,answer\n_ sat on the log.,the cat|the dog,the hen\n")
    assert_refused(
        "ask", gpt_run, "--task", "winograd", file, because="the answer 'the hen' is not among the cat, the dog"
    )
    file.write_text("sentence,who\na,b\n")
    assert_refused(
        "ask", gpt_run, "--task", "winograd", file, because="has no column 'candidates'; it has sentence, who"
    )
    assert_refused(
        "ask", gpt_run, "--task", "mood", "a", because="--task mood is unknown; choose sentiment, winograd, qa"
    )
    assert_refused("ask", gpt_run, "--task", "winograd", "no such", because="'no such' is no .csv or .jsonl")
