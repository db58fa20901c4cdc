"""What several posts speak of is found from what decides their claims."""

import pytest

from postproof.claims import artefacts, document
from postproof.site import families

WORK = """
title: Data sheet
source: Maker 2020
figures:
  memory: {value: 24, unit: GB, where: front}
  cores: {value: 8, unit: heads, where: back}
"""
POST = """
post: {post}
title: Post {post}
{others}
{evidence}
claims:
{claims}
"""
CLAIM = """
  - {{id: {name}, where: Setup, statement: S., posted: {posted}, unit: {unit}, got: "{got}", rule: {rule}}}
"""


@pytest.fixture
def found(tmp_path):
    """Families of posts, each a list of claims (id, posted, unit, got, rule); `others`: whom a post names."""
    (tmp_path / "sheet.yaml").write_text(WORK)
    works = {"sheet": artefacts.read_work(tmp_path / "sheet.yaml")}

    def find(posts: dict[str, list[tuple]], others: dict[str, list[str]] | None = None) -> list[families.Family]:
        for post, claims in posts.items():
            texts = "".join(
                CLAIM.format(name=name, posted=posted, unit=unit, got=got, rule=rule)
                for name, posted, unit, got, rule in claims
            )
            named = (others or {}).get(post, [])
            text = POST.format(
                post=post,
                claims=texts,
                others=f"others: [{', '.join(named)}]" if named else "",
                evidence="evidence: {public_models: {kind: public}}" if "public_models" in texts else "",
            )
            (tmp_path / f"{post}.yaml").write_text(text)
        documents = [
            document.read(tmp_path / f"{post}.yaml", [tmp_path / f"{o}.yaml" for o in (others or {}).get(post, [])])
            for post in posts
        ]
        records = [
            {"id": claim.id, "post": each.post, "verdict": "holds"} for each in documents for claim in each.claims
        ]
        return families.find(documents, records, ["public_models"], works)

    return find


MEMORY, CORES = "published[sheet].memory", "published[sheet].cores"


def test_posts_that_repeat_one_figure_are_a_family_and_agree_where_one_rounds_the_other(found):
    (family,) = found({"a": [("one", "24", "GB", MEMORY, "exact")], "b": [("two", "2e1", "GB", MEMORY, "rounded")]})
    assert family.posts == ["a", "b"] and family.title == "Data sheet (Maker 2020)"
    (group,) = family.groups
    assert group.what == "memory" and not group.differs
    assert [record["id"] for record in group.records] == ["one", "two"]


def test_numbers_that_posts_give_differently_are_pointed_out(found):
    (family,) = found({"a": [("one", "24", "GB", MEMORY, "exact")], "b": [("two", "32", "GB", MEMORY, "exact")]})
    assert family.groups[0].differs


def test_what_is_computed_from_a_figure_is_not_held_against_the_figure(found):
    posts = {"a": [("one", "24", "GB", MEMORY, "exact")], "b": [("two", "48", "GB", f"2 * {MEMORY}", "exact")]}
    (family,) = found(posts)
    assert not family.groups[0].differs


def test_one_post_alone_is_no_family_and_another_figure_of_the_work_stands_apart(found):
    assert found({"a": [("one", "24", "GB", MEMORY, "exact"), ("two", "24", "GB", MEMORY, "exact")]}) == []
    (family,) = found({"a": [("one", "24", "GB", MEMORY, "exact")], "b": [("two", "8", "heads", CORES, "exact")]})
    assert family.groups == () and {record["id"] for record in family.others} == {"one", "two"}


def test_rows_of_one_label_in_a_table_that_posts_share_are_a_family(found):
    cell = "public_models[model=x].{}"
    posts = {
        post: [(f"{post}_heads", "8", "heads", cell.format(column), "exact")]
        for post, column in {"a": "heads", "b": "kv_heads"}.items()
    }
    (family,) = found(posts)
    assert family.title == "public models: model x" and family.groups == ()
    assert {record["post"] for record in family.others} == {"a", "b"}


def test_a_claim_whose_number_another_post_names_is_a_family(found):
    posts = {
        "a": [("one", "24", "GB", MEMORY, "exact")],
        "b": [("two", "1", "'1'", f"posted(one) / {MEMORY}", "exact")],
    }
    by_kind = {family.kind: family for family in found(posts, {"b": ["a"]})}
    assert set(by_kind) == {"claim", "work"}
    assert [record["id"] for record in by_kind["claim"].records] == ["one", "two"]
    assert by_kind["claim"].href == "a.html#one"
