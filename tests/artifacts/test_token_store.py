import numpy as np
import pytest

from optical_cli.artifacts.indexes import DOC_IDS, DocumentIndex
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


def test_written_texts_are_read_back(folder, texts):
    store = TokenStore.open(folder)
    assert len(store) == 4
    assert store.lengths.tolist() == [3, 1, 5, 2]
    assert store.rows.dtype == np.float16
    for number, tokens in enumerate(texts):
        np.testing.assert_array_equal(store[number], tokens)


def test_tokens_are_memory_mapped_and_read_only(folder):
    store = TokenStore.open(folder)
    assert isinstance(store.rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.rows[0, 0] = 1


def test_two_stores_of_a_folder_have_their_own_names(tmp_path, texts):
    for name, some in (("query", texts[:2]), ("document", texts[2:])):
        with TokenStoreWriter(tmp_path, name) as writer:
            writer.append(some)
    assert [len(TokenStore.open(tmp_path, name)[0]) for name in ("query", "document")] == [3, 5]


def test_an_array_that_is_not_contiguous_is_written_correctly(tmp_path, texts):
    with TokenStoreWriter(tmp_path) as writer:
        writer.append([texts[2][::2]])
    np.testing.assert_array_equal(TokenStore.open(tmp_path)[0], texts[2][[0, 2, 4]])


def test_the_files_of_float16_do_not_change(folder, texts):
    assert sorted(path.name for path in folder.iterdir()) == ["tokens.f16", "tokens.json", "tokens.offsets.npy"]
    assert (folder / "tokens.json").read_text() == '{"dimensions": 4}'
    assert (folder / "tokens.f16").read_bytes() == np.concatenate(texts).tobytes()


@pytest.fixture
def eighth(tmp_path, texts):
    """The texts as int8, with another text that has tokens of zeros and of one large number."""
    odd = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1e-4, -1, 0.5]], dtype=np.float32)
    with TokenStoreWriter(tmp_path, storage="int8") as writer:
        writer.append([*texts, odd])
        assert writer.bytes_a_token == 4 + 2
    return TokenStore.open(tmp_path), [*(text.astype(np.float32) for text in texts), odd]


def test_the_error_of_int8_is_at_most_half_a_step(eighth):
    store, texts = eighth
    for number, tokens in enumerate(texts):
        steps = np.abs(tokens).max(axis=1, keepdims=True) / 127
        assert (np.abs(store[number] - tokens) <= 0.51 * steps + 127 * steps * 2**-11).all()
    np.testing.assert_array_equal(store[4][0], 0)
    assert store[4][2][2] == -store[4][2][0]


def test_every_read_returns_exactly_code_times_scale(eighth):
    store, _ = eighth
    codes, scales = store.rows["codes"].astype(np.float64), store.rows["scale"].astype(np.float64)
    exact = codes * scales[:, None]
    assert (exact == exact.astype(np.float32)).all()
    np.testing.assert_array_equal(store.vectors(0, store.tokens), exact)
    np.testing.assert_array_equal(store.some(np.array([1, 5, 13])), exact[[1, 5, 13]])
    together, offsets = store.texts(np.array([3, 0]))
    np.testing.assert_array_equal(together, exact[[9, 10, 0, 1, 2]])
    assert offsets.tolist() == [0, 2, 5]


def test_nan_is_not_hidden_by_int8(tmp_path):
    with np.errstate(invalid="ignore"), TokenStoreWriter(tmp_path, storage="int8") as writer:
        writer.append([np.array([[1, np.nan], [np.inf, 0]], dtype=np.float32)])
    assert not np.isfinite(TokenStore.open(tmp_path)[0]).all(axis=1).any()


def test_an_interrupted_writer_leaves_no_store_to_open(tmp_path, texts):
    def write_and_break():
        with TokenStoreWriter(tmp_path) as writer:
            writer.append(texts)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_and_break()
    with pytest.raises(FileNotFoundError):
        TokenStore.open(tmp_path)


def test_an_index_has_its_documents_and_refuses_a_wrong_number_of_ids(folder):
    (folder / DOC_IDS).write_text("d1\nd2\nd3\nd4\n")
    assert DocumentIndex.open(folder).doc_ids == ["d1", "d2", "d3", "d4"]
    (folder / DOC_IDS).write_text("d1\nd2\nd3\n")
    with pytest.raises(CacheError, match=r"3 ids, but 4 documents; run `optical cache remove"):
        DocumentIndex.open(folder)
