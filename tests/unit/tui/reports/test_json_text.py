import json

from dnet_tui.tui.reports.json_text import to_json, to_json_line

HOSTILE = "a\x1b[31m\x9b2J\u202eb\u2066\U000e0041\x7f"


def test_names_survive_json_exactly() -> None:
    assert json.loads(to_json({"name": HOSTILE}))["name"] == HOSTILE
    assert json.loads(to_json_line([HOSTILE])) == [HOSTILE]


def test_no_character_that_a_terminal_obeys_is_printed() -> None:
    for text in (to_json({"name": HOSTILE}), to_json_line({"name": HOSTILE})):
        assert text.replace("\n", "").isprintable()


def test_ordinary_names_stay_readable() -> None:
    assert "réseau-網" in to_json(["réseau-網"])


def test_a_line_is_one_line() -> None:
    assert to_json_line({"a": "x\ny"}).count("\n") == 1
