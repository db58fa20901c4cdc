"""A project of three jobs, built once by the real entry points; the engines' tests change copies of it."""

import pytest

from workflow_helpers import Checkout, built_toy


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Checkout:
    """Built by Snakemake, recorded by DVC, committed. Not to be changed: copy it."""
    return built_toy(tmp_path_factory.mktemp("built") / "toy")


@pytest.fixture
def checkout(built, tmp_path) -> Checkout:
    """A copy of the built checkout, free to change."""
    return built.copy(tmp_path / "toy")


@pytest.fixture
def origin(checkout, tmp_path) -> Checkout:
    """The built checkout with a DVC remote that holds everything."""
    checkout.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    checkout.dvc("push")
    checkout.commit("remote")
    return checkout
