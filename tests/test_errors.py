"""Each branch of the tree has its exit code, and each fault of a configuration has its line."""

import pytest

from steno.errors import ConfigError, ConfigFault, DataError, StenoError, UnavailableError, UsageError


@pytest.mark.parametrize(
    ("branch", "code"),
    [(StenoError, 70), (UsageError, 64), (DataError, 65), (UnavailableError, 69), (ConfigError, 78)],
)
def test_each_branch_has_its_exit_code(branch: type[StenoError], code: int) -> None:
    assert issubclass(branch, StenoError)
    assert branch.exit_code == code


def test_a_fault_names_file_and_key() -> None:
    assert str(ConfigFault("steno.toml", "http.listen", "is wrong")) == "steno.toml: http.listen: is wrong"


def test_a_fault_of_the_file_itself_names_no_key() -> None:
    assert str(ConfigFault("steno.toml", "", "is not UTF-8")) == "steno.toml: is not UTF-8"


def test_a_configuration_error_is_one_line_a_fault() -> None:
    faults = (ConfigFault("a.toml", "x", "is missing"), ConfigFault("a.toml", "y", "unknown key"))

    error = ConfigError(iter(faults))

    assert error.faults == faults
    assert str(error) == "a.toml: x: is missing\na.toml: y: unknown key"


def test_a_file_is_added_to_the_faults_that_name_none() -> None:
    error = ConfigError([ConfigFault("", "x", "is missing"), ConfigFault("$KEY", "", "is empty")])

    assert str(error.in_file("a.toml")) == "a.toml: x: is missing\n$KEY: is empty"
