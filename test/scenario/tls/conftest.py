"""An authority for each run, and a certificate that most scenarios use."""
import pytest
import rig


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return rig.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def a_test(authority):
    """The `tls` of a listener for a.test."""
    return authority.make("a.test")
