import pytest

from optical_cli.config.baselines import Translate
from optical_cli.errors import DataError
from optical_cli.progress import Silence
from optical_cli.retrieve.translated_topics import translate_topics

TOPICS = {"q1": "Amina anatengeneza mashua", "q2": "Juma ananunua wavu", "q3": "Amina anauza mahindi"}


class Listener(Silence):
    """Keeps what it is told."""

    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def translate(translator, tmp_path):
    """The lines of the file, the counts, and what was said."""

    def run(model=translator, topics=TOPICS, name="out", **settings):
        folder, listener = tmp_path / name, Listener()
        folder.mkdir(exist_ok=True)
        asked = Translate(model=str(model), **{"max_length": 8, **settings})
        health = translate_topics(topics, model, folder, settings=asked, device="cpu", progress=listener)
        lines = (folder / "topics.tsv").read_text().splitlines()
        return dict(line.split("\t") for line in lines), health, listener.said

    return run


def test_every_topic_has_a_translation_on_a_line_and_the_same_one_each_time(translate):
    first, health, _ = translate()
    assert list(first) == list(TOPICS)
    assert all(text and "<" not in text for text in first.values())
    assert (health["topics"], health["cut"], health["blank"]) == (3, 0, 0)
    assert translate()[0] == first


def test_another_model_the_prefix_and_the_languages_have_their_part(translate, build_translator, tmp_path):
    usual = translate()[0]
    assert translate(build_translator(tmp_path / "another", seed=4))[0] != usual
    assert translate(prefix="mahindi mahindi mahindi ")[0] != usual
    assert translate(target_code="eng_Latn")[0] != usual


def test_what_did_not_come_through_whole_is_counted_and_said(translate):
    _, health, said = translate(max_length=3)
    assert (health["cut"], health["unended"]) == (3, 3)
    assert said == [
        "translate: 3 of 3 topics are longer than translate.*.max_length and were cut",
        "translate: 3 of 3 topics have translations that reached translate.*.max_length without an end",
    ]


def test_a_blank_translation_is_left_out_and_counted_and_nothing_but_blanks_is_a_fault(translate, monkeypatch):
    blank = {"Juma ananunua wavu"}
    monkeypatch.setattr(
        "optical_cli.retrieve.translated_topics.Translator.translate",
        lambda _self, texts: ["" if text in blank else text.upper() for text in texts],
    )
    found, health, said = translate(batch_size=2)
    assert found == {query_id: text.upper() for query_id, text in TOPICS.items() if query_id != "q2"}
    assert health["blank"] == 1
    assert "translate: 1 of 3 topics have blank translations, and so no results" in said
    blank.update(TOPICS.values())
    with pytest.raises(DataError, match="every translation is blank"):
        translate()


@pytest.mark.parametrize("name", ["source_code", "target_code"])
def test_a_language_that_the_model_does_not_know_is_refused(translate, name):
    with pytest.raises(DataError, match=rf"translate\.\*\.{name}: the model knows no language 'tlh_Latn'"):
        translate(**{name: "tlh_Latn"})


def test_a_folder_without_a_translation_model_is_refused_in_one_line(translate, lab):
    with pytest.raises(DataError, match="cannot load the translation model") as caught:
        translate(lab.student)
    assert "\n" not in str(caught.value)
