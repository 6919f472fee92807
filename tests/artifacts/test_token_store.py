import numpy as np
import pytest

from optical_cli.artifacts.document_index import DOC_IDS, DocumentIndex
from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter
from optical_cli.errors import CacheError


@pytest.fixture
def texts():
    generator = np.random.default_rng(1)
    return [generator.standard_normal((length, 4)).astype(np.float16) for length in (3, 1, 5, 2)]


@pytest.fixture
def folder(tmp_path, texts):
    with TokenStoreWriter(tmp_path) as writer:
        writer.append(texts[:1])
        writer.append(texts[1:])
        assert writer.tokens == 11
    return tmp_path


def test_what_was_written_is_read_text_by_text(folder, texts):
    store = TokenStore.open(folder)
    assert len(store) == 4
    assert store.lengths.tolist() == [3, 1, 5, 2]
    assert store.tokens.dtype == np.float16
    for number, tokens in enumerate(texts):
        np.testing.assert_array_equal(store[number], tokens)


def test_the_tokens_stay_on_the_disk_and_cannot_be_changed(folder):
    store = TokenStore.open(folder)
    assert isinstance(store.tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.tokens[0, 0] = 1


def test_two_stores_of_a_folder_have_their_own_names(tmp_path, texts):
    for name, some in (("query", texts[:2]), ("document", texts[2:])):
        with TokenStoreWriter(tmp_path, name) as writer:
            writer.append(some)
    assert [len(TokenStore.open(tmp_path, name)[0]) for name in ("query", "document")] == [3, 5]


def test_a_view_that_is_no_block_of_memory_is_written_as_it_looks(tmp_path, texts):
    with TokenStoreWriter(tmp_path) as writer:
        writer.append([texts[2][::2]])
    np.testing.assert_array_equal(TokenStore.open(tmp_path)[0], texts[2][[0, 2, 4]])


def test_a_writer_that_breaks_off_leaves_no_store_to_open(tmp_path, texts):
    def write_and_break():
        with TokenStoreWriter(tmp_path) as writer:
            writer.append(texts)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_and_break()
    with pytest.raises(FileNotFoundError):
        TokenStore.open(tmp_path)


def test_an_index_knows_its_documents_and_refuses_ids_that_do_not_fit(folder):
    (folder / DOC_IDS).write_text("d1\nd2\nd3\nd4\n")
    assert DocumentIndex.open(folder).doc_ids == ["d1", "d2", "d3", "d4"]
    (folder / DOC_IDS).write_text("d1\nd2\nd3\n")
    with pytest.raises(CacheError, match=r"3 ids and 4 documents; `optical cache remove"):
        DocumentIndex.open(folder)
