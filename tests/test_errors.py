from optical_cli.errors import one_line, quoted, shortened


def test_a_text_is_quoted_whole_or_shown_to_be_cut():
    assert shortened("x" * 60) == "x" * 60
    assert shortened("x" * 61) == "x" * 60 + "…"
    assert shortened("xyz", 2) == "xy…"


def test_a_value_is_quoted_on_one_line():
    assert quoted("one\ntwo") == r"'one\ntwo'"
    assert quoted(["mti", 1]) == quoted("['mti', 1]")
    assert quoted("\n" * 70) == "'" + r"\n" * 60 + "…'"


def test_an_error_of_a_library_is_told_on_one_line():
    assert one_line(ValueError("line one,\n  line two")) == "ValueError: line one, line two"
    assert one_line(ValueError("x" * 300)) == "ValueError: " + "x" * 228 + "…"
