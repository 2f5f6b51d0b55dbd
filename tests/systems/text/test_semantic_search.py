"""semantic-search finds passages by words and by features."""

from helpers.command_line import assert_refused, run_cli
from helpers.stories import ANIMALS

from caudex.core.system import load
from caudex.data.text.documents import open_documents
from caudex.models.passage_index import Passage, PassageIndex, embed_texts
from caudex.systems.text.semantic_search import rank_metrics, remove_title_words


def test_documents_lose_the_words_of_their_headline_in_whatever_form():
    assert (
        remove_title_words("Bank cuts rates", "The banks have cut what they lend at.")
        == "The have cut what they lend at."
    )
    assert remove_title_words("Lenders again", "They lend, Again, and again.") == "They and"


def test_search_finds_by_words_and_by_features(gpt_run, stories_folder, tmp_path):
    model = load(gpt_run)
    held = [Passage(i, f"The {name} sat on the {end}.") for i, (name, end) in enumerate(ANIMALS.items())]
    index = PassageIndex(model, held, embed_texts(model, [passage.text for passage in held]))
    for by in ("meaning", "words", "both"):
        assert rank_metrics(index, [passage.text for passage in held], by)["reciprocal rank"] == 1
    printed = run_cli(
        "search",
        stories_folder / "reviews.csv",
        "the goat, number 3",
        "--column",
        "review",
        "--model",
        gpt_run,
        "--by",
        "words",
        "--count",
        "3",
    ).out
    assert "reviews.csv, row" in printed
    assert_refused(
        "search",
        stories_folder / "reviews.csv",
        "goat",
        "--column",
        "review",
        "--by",
        "sound",
        because="--by sound is unknown",
    )
    assert_refused("search", tmp_path, "goat", because="has no text")


def test_documents_know_where_they_stand(stories_folder):
    read = open_documents(str(stories_folder / "reviews.csv"), "review")
    assert [read.location(number) for number, _ in read][:2] == ["reviews.csv, row 1", "reviews.csv, row 2"]
    read = open_documents(str(stories_folder / "stories"))
    assert [read.location(number) for number, _ in read][3] == "03.txt"
