import pytest

from optical_cli.data.absent import MARK, StandIn, before_download, downloads_allowed, downloads_off
from optical_cli.errors import NotHere


def test_nothing_is_downloaded_inside_and_everything_may_be_outside():
    before_download("acme/small is not in the cache")
    with downloads_off():
        with downloads_off(off=False):
            assert not downloads_allowed()
        with pytest.raises(NotHere, match="acme/small is not in the cache, and downloads are off"):
            before_download("acme/small is not in the cache")
    with downloads_off(off=False):
        assert downloads_allowed()


def test_a_stand_in_has_a_mark_for_a_fingerprint_and_refuses_to_be_read(memo):
    absent = StandIn("acme/small", "acme/small is not in the cache")
    assert absent.fingerprint(memo) == f"{MARK}acme/small is not in the cache"
    assert absent.count() is None
    for read in (absent.local_copy, absent.documents, absent.topics, absent.judgements):
        with pytest.raises(NotHere, match="acme/small is not in the cache"):
            read()
