import pytest

from optical_cli.config.baselines import Translate
from optical_cli.errors import DataError
from optical_cli.progress import Silence
from optical_cli.retrieve.translated_topics import translate_topics

TOPICS = {"q1": "Amina anatengeneza mashua", "q2": "Juma ananunua wavu", "q3": "Amina anauza mahindi"}


class Messages(Silence):
    """Collects messages."""

    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


@pytest.fixture
def translate(translator, tmp_path):
    """Translate topics; returns the translations by query id, the counts and the messages."""

    def run(model=translator, topics=TOPICS, name="out", **settings):
        folder, messages = tmp_path / name, Messages()
        folder.mkdir(exist_ok=True)
        section = Translate(model=str(model), **{"max_length": 8, **settings})
        health = translate_topics(topics, model, folder, settings=section, device="cpu", progress=messages)
        lines = (folder / "topics.tsv").read_text().splitlines()
        return dict(line.split("\t") for line in lines), health, messages.lines

    return run


def test_every_topic_has_a_translation_and_the_same_one_each_time(translate):
    first, health, _ = translate()
    assert list(first) == list(TOPICS)
    assert all(text and "<" not in text for text in first.values())
    assert (health["topics"], health["cut"], health["blank"]) == (3, 0, 0)
    assert translate()[0] == first


def test_model_prefix_and_language_change_the_translation(translate, build_translator, tmp_path):
    default = translate()[0]
    assert translate(build_translator(tmp_path / "another", seed=4))[0] != default
    assert translate(prefix="mahindi mahindi mahindi ")[0] != default
    assert translate(target_code="eng_Latn")[0] != default


def test_cut_topics_and_unended_translations_are_counted_and_reported(translate):
    _, health, messages = translate(max_length=3)
    assert (health["cut"], health["unended"]) == (3, 3)
    assert messages == [
        "translate: 3 of 3 topics are longer than translate.*.max_length and were cut",
        "translate: 3 of 3 topics have translations that reached translate.*.max_length without an end",
    ]


def test_blank_translations_are_left_out_and_an_error_if_all_are_blank(translate, monkeypatch):
    blank = {"Juma ananunua wavu"}
    monkeypatch.setattr(
        "optical_cli.retrieve.translated_topics.Translator.translate",
        lambda _self, texts: ["" if text in blank else text.upper() for text in texts],
    )
    found, health, messages = translate(batch_size=2)
    assert found == {query_id: text.upper() for query_id, text in TOPICS.items() if query_id != "q2"}
    assert health["blank"] == 1
    assert "translate: 1 of 3 topics have blank translations, and so no results" in messages
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
