from optical_cli.errors import byte_size, one_line, quoted, several, shortened


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


def test_things_are_counted_in_the_singular_and_the_plural():
    assert [several(count, "topic") for count in (0, 1, 2)] == ["0 topics", "1 topic", "2 topics"]


def test_bytes_are_in_the_unit_that_needs_the_fewest_digits():
    sizes = {
        0: "0 B",
        812: "812 B",
        1000: "1.0 kB",
        4_100_000: "4.1 MB",
        4_600_000_000: "4.6 GB",
        2 * 10**15: "2000.0 TB",
    }
    assert {count: byte_size(count) for count in sizes} == sizes
