import pytest

from optical_cli.data.absent import MARK, MissingSource, before_download, downloads_allowed, downloads_off
from optical_cli.errors import NotHere


def test_downloads_are_off_inside_the_context_only():
    before_download("acme/small is not in the cache")
    with downloads_off():
        with downloads_off(off=False):
            assert not downloads_allowed()
        with pytest.raises(NotHere, match="acme/small is not in the cache, and downloads are off"):
            before_download("acme/small is not in the cache")
    with downloads_off(off=False):
        assert downloads_allowed()


def test_a_missing_source_has_a_mark_as_fingerprint_and_refuses_to_be_read(memo):
    absent = MissingSource("acme/small", "acme/small is not in the cache")
    assert absent.fingerprint(memo) == f"{MARK}acme/small is not in the cache"
    assert absent.count() is None
    for read in (absent.local_copy, absent.documents, absent.topics, absent.judgements):
        with pytest.raises(NotHere, match="acme/small is not in the cache"):
            read()
