"""Columns of metrics tables that nothing uses: what counts as use, and that each of ours has one."""

import shutil

import pytest

from postproof.core.errors import ArtefactError
from postproof.engines import columns
from workflow_helpers import ROOT

CODE = '''
"""A docstring: unused."""
LABELS = {"entropy": "the entropy of the choices", "share": "% of them"}
def draw(table, measure, kinds=("low", "high")):
    table.query("protocol == 'paired'")[f"{measure}_low"], table.perplexity, "one two".split(), f"slot{1}"
'''


@pytest.fixture
def copy(tmp_path):
    """What the check reads of this project."""
    for folder in ("workflow/schemas", "data/published", "claims"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "data/measured").symlink_to(ROOT / "data/measured")
    return tmp_path


def test_the_one_column_that_nothing_uses_is_found_and_none_of_ours(copy):
    schema = copy / "workflow/schemas/tables/llama2/rope_theta.yaml"
    more_columns = {"unasked": "", "case": "  tells_rows: true\n", "point": "  checkpoint: true\n"}
    more = [f'{name}:\n  unit: "1"\n  description: of no use\n{key}' for name, key in more_columns.items()]
    schema.write_text(schema.read_text() + "".join(more))
    assert columns.unused(copy) == [("llama2/rope_theta", "unasked")]


def test_the_message_names_table_column_and_what_to_do(monkeypatch):
    monkeypatch.setattr(columns, "unused", lambda root: [("post/table", "unasked"), ("post/table", "other")])
    with pytest.raises(ArtefactError, match="no claim, finding, chart or job uses the column") as error:
        columns.check(ROOT)
    assert all(words in str(error.value) for words in ("post/table", "unasked", "columns: 2", "tells_rows"))


def test_what_code_names(tmp_path):
    module = tmp_path / "postproof" / "post" / "chart.py"
    module.parent.mkdir(parents=True)
    module.write_text(CODE)
    names = columns.names(module)
    for named in ("entropy", "share", "protocol", "perplexity", "entropy_low", "share_low", "one", "two", "slot1"):
        assert names.has(named), named
    for not_named in ("unused", "docstring", "choices", "loss_low", "entropy_high", "table", "slotted"):
        assert not names.has(not_named), not_named


def test_names_of_the_posts_modules_that_are_imported_count_too(tmp_path):
    post = tmp_path / "postproof" / "post"
    post.mkdir(parents=True)
    (post / "chart.py").write_text("from postproof.post import looks\nfrom postproof.core import far\n")
    (post / "looks.py").write_text("X = 'near'\n")
    (tmp_path / "postproof/core").mkdir()
    (tmp_path / "postproof/core/far.py").write_text("X = 'distant'\n")
    names = columns.names(post / "chart.py")
    assert names.has("near") and not names.has("distant")
