"""The formats in which people have Winograd schemas."""

import json

import pytest

from caudex.core.errors import CaudexError
from caudex.models.prompting.schema_files import read_schemas

TEXT = "The trophy doesn't fit into the suitcase because it is too large."
BEFORE, AFTER = "The trophy doesn't fit into the suitcase because ", " is too large."
BOTH = ("the trophy", "the suitcase")
PLACE = len(BEFORE)


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def target(candidate, **changes):
    return {"span1_text": candidate, "span1_index": 0, "span2_text": "it", "span2_index": 8} | changes


def super_glue(candidate, label=None, **changes):
    row = {"text": TEXT, "target": target(candidate, **changes), "idx": 1}
    return row if label is None else row | {"label": label}


WSC = {
    "text": TEXT,
    "pronoun": "it",
    "pronoun_loc": PLACE,
    "quote": "it is",
    "quote_loc": PLACE,
    "options": BOTH,
    "source": "x",
}
GRANDE = {"qID": "1", "sentence": BEFORE + "_" + AFTER, "option1": BOTH[0], "option2": BOTH[1]}


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("ours.csv", f"sentence,candidates,answer\n{BEFORE}_{AFTER},the trophy|the suitcase,the trophy\n", 0),
        ("ours.csv", f"sentence,candidates\n{BEFORE}_{AFTER},the trophy|the suitcase\n", None),
        ("ours.jsonl", lines({"sentence": BEFORE + "_" + AFTER, "candidates": BOTH, "answer": "the suitcase"}), 1),
        ("winogrande.jsonl", lines(GRANDE | {"answer": "2"}), 1),
        ("test.jsonl", lines(GRANDE | {"answer": ""}), None),
        ("wsc273.jsonl", lines(WSC | {"label": 1}), 1),
        ("wsc273.json", json.dumps([WSC | {"label": 0}]), 0),
        ("superglue.jsonl", lines(super_glue("the trophy", False), super_glue("the suitcase", True)), 1),
        ("superglue.jsonl", lines(super_glue("the trophy"), super_glue("the suitcase")), None),
        ("off.jsonl", lines(super_glue("the trophy", True, span2_index=7), super_glue("the suitcase", False, span2_index=7)), 0),
        ("wsc273.tsv", f"left\tpron\tright\tcandidates\tselected\n{BEFORE}\tit\tis too large.\tthe trophy,the suitcase\t1\n", 1),
    ],
)  # fmt: skip
def test_every_format_is_the_same_schema(tmp_path, name, content, answer):
    (tmp_path / name).write_text(content)
    (schema,), left_out = read_schemas(tmp_path / name)
    assert (schema.before, schema.after, schema.candidates) == (BEFORE, AFTER, BOTH)
    assert (schema.answer, left_out) == (answer, 0)


def test_sentences_with_the_candidate_put_in(tmp_path):
    rows = [
        {"question_id": 0, "substitution": f"Because {name} is too large, it is left.", "correctness": name == "a box"}
        for name in ("the trophy", "a box")
    ]
    (tmp_path / "wsc273.json").write_text(json.dumps(rows))
    (schema,), _ = read_schemas(tmp_path / "wsc273.json")
    assert schema == ("Because ", " is too large, it is left.", ("the trophy", "a box"), 1)


def test_a_possessive_pronoun_makes_candidates_possessive(tmp_path):
    row = {
        "text": "Mark told Pete his name.",
        "pronoun": "his",
        "pronoun_loc": 15,
        "options": ["Mark", "Pete"],
        "label": 0,
    }
    (tmp_path / "w.jsonl").write_text(lines(row))
    (schema,), _ = read_schemas(tmp_path / "w.jsonl")
    assert schema == ("Mark told Pete ", " name.", ("Mark's", "Pete's"), 0)


def test_super_glue_leaves_out_what_has_no_choice(tmp_path):
    rows = [super_glue("the trophy", False), super_glue("the suitcase", True)]
    alone = super_glue("the trophy", True) | {"text": TEXT.replace("large", "small")}
    (tmp_path / "w.jsonl").write_text(lines(*rows, alone))
    schemas, left_out = read_schemas(tmp_path / "w.jsonl")
    assert (len(schemas), left_out) == (1, 1)
    (tmp_path / "w.jsonl").write_text(lines(alone))
    with pytest.raises(CaudexError, match="no sentence has two candidates, one of them right"):
        read_schemas(tmp_path / "w.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "because"),
    [
        ("w.jsonl", lines(GRANDE, GRANDE | {"answer": "3"}), r'w.jsonl, line 2: answer is "3" \(not a value that caudex knows\)'),
        ("w.jsonl", lines(GRANDE | {"sentence": "no pronoun."}), "line 1: 'no pronoun.' is no schema"),
        ("w.jsonl", lines(WSC | {"pronoun_loc": 3}), "line 1: at character 3 stands ' t', not 'it'"),
        ("w.jsonl", lines(WSC | {"label": 2}), "line 1: the answer 2 is not a number of the trophy, the suitcase, from 0 on"),
        ("w.jsonl", lines(WSC | {"label": "x"}), r'line 1: label is "x" \(expected `int'),
        ("w.jsonl", lines(WSC | {"options": ["a"]}), "line 1 is no schema"),
        ("w.jsonl", lines(super_glue("a", True, span2_text="they"), super_glue("b", False, span2_text="they")),
         "line 1: the text has no word 'they', its span2_text"),
        ("w.jsonl", lines(super_glue("a") | {"target": {}}), "line 1: target"),
        ("w.jsonl", "{\n", "line 1 is not JSON with an object"),
        ("w.jsonl", "[1]\n", "line 1 is not JSON with an object"),
        ("w.json", "[1]", "number 1 is no row"),
        ("w.json", "{}", "is not JSON with a list of objects"),
        ("w.json", "[" * 100_000, "is not JSON with a list of objects"),
        ("w.jsonl", "", "has no rows"),
        ("w.csv", "sentence,who\na,b\n", "has the columns sentence, who, which is no known format"),
        ("w.csv", "sentence,candidates,answer\n_ sat.,the cat|the dog,the hen\n",
         "w.csv, line 2: the answer 'the hen' is not among the cat, the dog"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_line(tmp_path, name, content, because):
    (tmp_path / name).write_text(content)
    with pytest.raises(CaudexError, match=because):
        read_schemas(tmp_path / name)
