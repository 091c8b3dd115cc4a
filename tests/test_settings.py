"""Settings: one table for code, check and page."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muster.errors import NotConfigured
from muster.settings import COMMAND_SECRETS, VARIABLES, load, make_data_dir
from scripts.make_settings_page import page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations" / "settings.md"
KNOWN = {variable.name for variable in VARIABLES.values()} | set(COMMAND_SECRETS)


def test_the_page_names_exactly_the_settings_there_are() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `MUSTER_")]
    assert sorted(rows) == sorted(KNOWN)


def test_the_page_is_the_one_the_table_makes() -> None:
    assert PAGE.read_text() == page(), "run: python -m scripts.make_settings_page"


def test_without_any_variable_it_is_embedded() -> None:
    settings = load({"XDG_DATA_HOME": "/somewhere/data"})
    assert settings.data_dir == Path("/somewhere/data/muster")
    assert settings.database_url == "sqlite:////somewhere/data/muster/muster.db"
    assert (settings.tenant, settings.secret_key, settings.egress_allow) == (None, None, ())
    assert (settings.sync_timeout, settings.server_concurrency) == (3600, 2)


def test_a_relative_data_home_is_ignored() -> None:
    assert load({"XDG_DATA_HOME": "here"}).data_dir == Path.home() / ".local" / "share" / "muster"


def test_values_are_read_with_their_types() -> None:
    settings = load(
        {
            "MUSTER_DATA_DIR": "~/m",
            "MUSTER_EGRESS_ALLOW": "10.20.0.0/16, fd00::/8,",
            "MUSTER_CONNECT_TIMEOUT": "2.5",
            "MUSTER_LOG_LEVEL": "DEBUG",
            "MUSTER_TENANT": "  Acme  ",
        }
    )
    assert settings.data_dir == Path.home() / "m"
    assert [str(network) for network in settings.egress_allow] == ["10.20.0.0/16", "fd00::/8"]
    assert (settings.connect_timeout, settings.log_level, settings.tenant) == (2.5, "debug", "Acme")


def test_an_empty_variable_is_not_set() -> None:
    assert load(dict.fromkeys(KNOWN, " ")) == load({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUSTER_DATABASE_POOL_SIZE", "0"),
        ("MUSTER_DATABASE_POOL_SIZE", "ten"),
        ("MUSTER_DATABASE_POOL_SIZE", "٣"),
        ("MUSTER_MISSING_SHARE", "1.01"),
        ("MUSTER_MISSING_SHARE", "-0.1"),
        ("MUSTER_MISSING_SHARE", "nan"),
        ("MUSTER_READ_TIMEOUT", "1e9"),
        ("MUSTER_LOG_FORMAT", "xml"),
        ("MUSTER_EGRESS_ALLOW", "10.0.0.0/40"),
        ("MUSTER_SYNC_TIMEOUT", "9" * 40),
    ],
)
def test_a_bad_value_is_named_with_what_it_must_be(name: str, value: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        load({name: value})
    assert name in caught.value.message
    assert caught.value.remedy is not None
    assert caught.value.remedy.startswith("It must be ")


def test_a_typo_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(NotConfigured) as caught:
        load({"MUSTER_TENNANT": "Acme"})
    assert caught.value.code == "unknown_setting"
    assert caught.value.remedy == "Did you mean MUSTER_TENANT?"


def test_variables_of_tests_and_of_commands_are_let_through() -> None:
    load({"MUSTER_TEST_POSTGRES_URL": "x", "MUSTER_USER_PASSWORD": "y", "OTHER": "z"})


def test_two_sources_of_the_key_are_refused() -> None:
    with pytest.raises(NotConfigured, match="both set"):
        load({"MUSTER_SECRET_KEY": "a", "MUSTER_SECRET_KEY_FILE": "/b"})


def test_a_data_folder_that_no_url_can_name_is_refused() -> None:
    with pytest.raises(NotConfigured, match=r"'\?'"):
        load({"MUSTER_DATA_DIR": "/tmp/what?"})
    load({"MUSTER_DATA_DIR": "/tmp/50% off #1", "MUSTER_LOG_LEVEL": "info"})


def test_its_repr_shows_no_secret() -> None:
    secret = "a-very-secret-value"
    shown = repr(load({"MUSTER_SECRET_KEY": secret, "MUSTER_DATABASE_URL": f"postgresql://u:{secret}@h/d"}))
    assert secret not in shown


@example("MUSTER_DATA_DIR", "what?")
@given(st.sampled_from(sorted(KNOWN - set(COMMAND_SECRETS))), st.text(max_size=40))
def test_any_text_is_taken_or_refused_in_words(name: str, value: str) -> None:
    try:
        load({name: value})
    except NotConfigured as refusal:
        assert name in refusal.message  # noqa: PT017 - taking it is as good


def test_the_data_folder_is_private(tmp_path: Path) -> None:
    folder = make_data_dir(load({"MUSTER_DATA_DIR": str(tmp_path / "a" / "b")}))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotConfigured, match="cannot be made"):
        make_data_dir(load({"MUSTER_DATA_DIR": str(tmp_path / "file" / "data")}))
