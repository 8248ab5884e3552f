import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dpcore.datasets import federated
from dpcore.datasets.importing import table, table_files
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError, InvalidValueError


def people(rows=200, users=20):
    """A small table: text ids and labels, two numbers."""
    draw = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "who": [f"p{draw.integers(users):03d}" for _ in range(rows)],
            "age": draw.normal(40, 10, rows),
            "income": draw.normal(1e5, 2e4, rows),
            "answer": draw.choice(["yes", "no", "maybe"], rows),
        }
    )


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".npz":
        np.savez(
            path, **{name: frame[name].to_numpy(str if frame[name].dtype == object else None) for name in frame}
        )
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def convert(path, mapping=None, name="mine"):
    folder = path.parent / "made"
    mapping = mapping or Mapping(user="who", label="answer")
    table.convert(path, mapping, folder, lambda what, fraction: None, name=name)
    return federated.open_folder(folder)


def refused(path, mapping=None):
    """The message about a bad table; nothing is left of it."""
    with pytest.raises((DatasetError, InvalidValueError)) as error:
        convert(path, mapping)
    assert [child.name for child in path.parent.iterdir()] == [path.name]
    return str(error.value)


def rebuilt(dataset):
    """All examples as (user number, label name, features), sorted."""
    found = []
    for split in (dataset.train, dataset.test):
        for user in range(dataset.num_users):
            rows = split.rows(user)
            labels = [dataset.class_names[label] for label in split.labels[rows]]
            found += [(user, *row) for row in zip(labels, split.features[rows].tolist(), strict=True)]
    return sorted(found)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".npz"])
def test_every_row_reaches_its_user_whatever_the_file(tmp_path, suffix):
    frame = people()
    dataset = convert(write(frame, tmp_path / f"t{suffix}"), Mapping(user="who", label="answer", scaling="none"))
    users = sorted(frame.who.unique())
    expected = sorted(
        (users.index(row.who), row.answer, [float(np.float32(row.age)), float(np.float32(row.income))])
        for row in frame.itertuples()
    )
    assert rebuilt(dataset) == expected
    assert dataset.class_names == ("maybe", "no", "yes")
    assert dataset.description.feature_names == ("age", "income")
    assert dataset.description.source == (
        f"The table t{suffix}: users by 'who', classes by 'answer'; "
        "0.1 of each user's examples for testing, by seed 0"
    )
    assert dataset.image_shape is None


def test_the_same_table_is_the_same_data_set_and_a_changed_one_is_not(tmp_path):
    frame, prints = people(), []
    for place, changed in enumerate((frame, frame, frame.assign(age=frame.age + 1e-3 * (frame.index == 7)))):
        folder = tmp_path / str(place)
        folder.mkdir()
        prints.append(convert(write(changed, folder / "t.parquet")).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_each_user_is_split_by_a_seed(tmp_path):
    path = write(people(2000), tmp_path / "t.parquet")
    first = convert(path)
    counts = np.diff(first.train.offsets) + np.diff(first.test.offsets)
    assert np.diff(first.test.offsets).tolist() == np.rint(counts * 0.1).tolist()
    (tmp_path / "made").rename(tmp_path / "first")
    assert convert(path, Mapping(user="who", label="answer", seed=1)).fingerprint != first.fingerprint


def test_what_happens_to_a_users_examples_does_not_depend_on_others(tmp_path):
    """Otherwise adding one user would change what all train on, and no guarantee about a user would hold."""
    frame = people()
    mapping = Mapping(user="who", label="answer", scaling="none", max_examples_per_user=6)
    everybody = convert(write(frame, tmp_path / "t.csv"), mapping)
    (tmp_path / "made").rename(tmp_path / "first")
    without = convert(write(frame[frame.who != "p004"], tmp_path / "t.csv"), mapping)
    for split in ("train", "test"):
        more, less = getattr(everybody, split), getattr(without, split)
        kept = np.delete(more.features, np.r_[more.rows(4)], axis=0)
        np.testing.assert_array_equal(kept, less.features)


def test_a_cap_takes_examples_of_those_who_have_more(tmp_path):
    path = write(people(), tmp_path / "t.csv")
    dataset = convert(path, Mapping(user="who", label="answer", max_examples_per_user=5))
    counts = np.diff(dataset.train.offsets) + np.diff(dataset.test.offsets)
    assert counts.tolist() == np.minimum(people().who.value_counts().sort_index(), 5).tolist()


def test_a_split_column_is_followed(tmp_path):
    frame = people().assign(part=["Train", "TEST"] * 100)
    dataset = convert(write(frame, tmp_path / "t.csv"), Mapping(user="who", label="answer", split="part"))
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (100, 100)
    assert dataset.description.feature_names == ("age", "income")


def test_standardising_says_that_it_looks_at_everybody(tmp_path):
    dataset = convert(write(people(2000), tmp_path / "t.csv"))
    np.testing.assert_allclose(dataset.train.features.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(dataset.train.features.std(0), 1, rtol=1e-5)
    assert abs(dataset.test.features.mean()) > 1e-4  # by the training examples alone
    assert "does not cover" in dataset.description.access_note


def test_numbers_beyond_the_precision_of_models_are_standardised_first(tmp_path):
    """Seconds since 1970 differ in float64 only."""
    frame = people()
    frame["age"] = 1.7e9 + np.arange(200)
    dataset = convert(write(frame, tmp_path / "t.parquet"))
    assert len(np.unique(dataset.train.features[:, 0])) == len(dataset.train.labels)


def test_fixed_bounds_look_at_nobody(tmp_path):
    frame = people().assign(age=np.tile([-5.0, 0, 50, 100, 250], 40))
    bounds = {"age": (0, 100), "income": (0, 1e6)}
    mapping = Mapping(user="who", label="answer", scaling="bounds", bounds=bounds)
    dataset = convert(write(frame, tmp_path / "t.csv"), mapping)
    assert set(np.unique(dataset.train.features[:, 0])) == {0, 0.5, 1}
    assert dataset.description.access_note == ""
    assert any("20.00% of the values lay outside" in warning for warning in dataset.description.warnings)


def test_classes_are_in_the_order_of_numbers_where_they_are_numbers(tmp_path):
    frame = people().assign(answer=np.tile([10.0, 9.0, 2.0, 100.0], 50))
    assert convert(write(frame, tmp_path / "t.parquet")).class_names == ("2", "9", "10", "100")


def test_ids_are_text_even_where_they_look_like_numbers(tmp_path):
    frame = people().assign(who=["007", "7"] * 100)
    assert convert(write(frame, tmp_path / "t.csv")).num_users == 2


def test_ids_and_labels_may_be_categories_and_integers(tmp_path):
    frame = people()
    frame["who"] = frame.who.str[1:].astype(int)
    frame["answer"] = frame.answer.astype("category")
    dataset = convert(write(frame, tmp_path / "t.parquet"))
    assert (dataset.num_users, dataset.num_classes) == (frame.who.nunique(), 3)


def test_more_classes_than_a_byte_holds(tmp_path):
    frame = people(3000).assign(answer=np.arange(3000) % 300)
    dataset = convert(write(frame, tmp_path / "t.parquet"))
    assert dataset.train.labels.dtype == np.uint16
    assert dataset.class_names[299] == "299"


def images(count=60):
    return np.random.default_rng(0).integers(0, 256, (count, 20, 16), np.uint8)


def sorted_images(dataset):
    rows = np.concatenate([dataset.train.features, dataset.test.features])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("form", ["npz", "fortran", "lists", "png"])
def test_images_of_bytes_stay_bytes(tmp_path, form):
    pixels, who, answer = images(), np.arange(60) % 7, np.arange(60) % 3
    if form in ("npz", "fortran"):
        array = np.asfortranarray(pixels) if form == "fortran" else pixels
        np.savez(tmp_path / "t.npz", who=who, answer=answer, picture=array)
    else:
        cells = [row.tolist() for row in pixels]
        if form == "png":
            cells = [{"bytes": png(row), "path": None} for row in pixels]
        frame = pd.DataFrame({"who": who, "answer": answer, "picture": cells})
        if form == "lists":
            import pyarrow as pa
            import pyarrow.parquet as pq

            kind = pa.list_(pa.list_(pa.uint8()))
            fields = {"who": pa.array(who), "answer": pa.array(answer), "picture": pa.array(cells, kind)}
            pq.write_table(pa.table(fields), tmp_path / "t.parquet")
        else:
            frame.to_parquet(tmp_path / "t.parquet")
    [path] = tmp_path.iterdir()
    dataset = convert(path, Mapping(user="who", label="answer", features=("picture",)))
    assert dataset.train.features.dtype == np.uint8
    assert dataset.image_shape == (20, 16)
    assert dataset.description.scaling == "Bytes divided by 255"
    flat = pixels.reshape(60, -1)
    np.testing.assert_array_equal(sorted_images(dataset), flat[np.lexsort(flat.T)])


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_pixels_in_columns_become_an_image(tmp_path):
    frame = pd.DataFrame(images().reshape(60, -1)).rename(columns=str).assign(who=np.arange(60) % 7, answer="abc")
    frame.loc[::2, "answer"] = "d"
    mapping = Mapping(
        user="who", label="answer", image_shape=(20, 16), scaling="bounds", bounds=(0, 255), features=()
    )
    dataset = convert(write(frame, tmp_path / "t.csv"), mapping)
    assert dataset.image_shape == (20, 16)
    flat = images().reshape(60, -1)
    np.testing.assert_allclose(sorted_images(dataset), flat[np.lexsort(flat.T)] / 255, rtol=1e-6)
    mapping = Mapping(user="who", label="answer", image_shape=(20, 20))
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    assert "of 320 features, found (20, 20)" in refused(tmp_path / "t.csv", mapping)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("age", 149, np.nan, "Expected .* in column 'age' .*found n.* in row 150"),
        ("age", 150, np.inf, "Expected finite numbers in column 'age', found inf in row 151"),
        ("income", 7, 1e39, "Expected finite numbers in column 'income', found 1e\\+39 in row 8"),
        ("income", 199, "12 EUR", "Expected numbers in column 'income', found .* in row"),
        ("who", 20, None, "Expected a value in column 'who' of every row, found none in row 21"),
        ("answer", 21, None, "Expected a value in column 'answer' of every row, found none in row 22"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_bad_value_is_named_by_row_and_column(tmp_path, suffix, column, row, value, message):
    frame = people().astype({column: object})
    frame.loc[row, column] = value
    if isinstance(value, str) and suffix == ".parquet":
        frame[column] = frame[column].astype(str)
    said = refused(write(frame, tmp_path / f"t{suffix}"))
    assert re.search(message, said), said
    if isinstance(value, str) and suffix == ".csv":
        assert "'12 EUR' in row 200" in said


def test_a_missing_column_is_told_with_the_nearest(tmp_path):
    path = write(people(), tmp_path / "t.csv")
    assert "found 'answers'. There is answer." in refused(path, Mapping(user="who", label="answers"))
    said = refused(path, Mapping(user="person", label="answer"))
    assert "Expected user to be a column of the table, found 'person'" in said
    assert "There is who, age, income, answer." in said
    assert "found 'agee'. There is age" in refused(path, Mapping(user="who", label="answer", features=("agee",)))
    assert "split" in refused(path, Mapping(user="who", label="answer", split="part"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("who,age,answer\n", "has no rows"),
        ("who,age,answer", "has no rows"),
        ("who,age,answer\na,1,x\nb,2\n", "Expected 3 values in line 3 of t.csv, found 2: 'b,2'"),
        ("who,age,age,answer\na,1,1,x\n", "two columns called 'age'"),
        ("who,age,answer\na,1,x\nb,2,x\n", "at least 2 classes in column 'answer', found only 'x'"),
        ("who,age,answer\na,1,x\na,2,y\n", "at least 2 users in column 'who', found only 'a'"),
        ("who,answer\na,x\nb,y\n", "Expected columns besides who, answer, found none"),
        ("who,age,answer\na,1,x\nb,2,y\n", "found none to test on: every user has one"),
    ],
)
def test_tables_that_are_none(tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content)
    assert message in refused(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.npz"])
def test_files_that_are_not_what_their_name_says(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\xff\xfe\x80" * 1000)
    assert f"{name} cannot be read as" in refused(tmp_path / name)


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_a_file_that_is_cut_off(tmp_path, suffix):
    path = write(people(), tmp_path / f"t{suffix}")
    path.write_bytes(path.read_bytes()[:-500])
    assert "cannot be read as" in refused(path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"")
    assert "ends in .parquet, .pq, .csv, .tsv, .tab, .npz, .feather, " in (said := refused(tmp_path / "t.txt"))
    assert said.endswith("found t.txt.")
    with pytest.raises(DatasetError, match=r"cannot be read as CSV: .*No such file"):
        convert(tmp_path / "none.csv")


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "t.csv").write_bytes("who,age,answer\nJosé,1,x\nb,2,y\n".encode("latin-1"))
    assert "UTF" in refused(tmp_path / "t.csv") or "utf" in refused(tmp_path / "t.csv")


def test_amounts_are_no_classes(tmp_path):
    frame = people(3000).assign(answer=np.arange(3000) / 7)
    assert "at most 1,000 classes in column 'answer'" in refused(write(frame, tmp_path / "t.csv"))


def test_a_table_on_which_nobody_trains(tmp_path):
    path = write(people().assign(part="test"), tmp_path / "t.csv")
    said = refused(path, Mapping(user="who", label="answer", split="part"))
    assert "found none to train on: column 'part' says so" in said


def test_a_split_column_of_other_words(tmp_path):
    path = write(people().assign(part=["train", "fold 2"] * 100), tmp_path / "t.csv")
    assert "found 'fold 2'" in refused(path, Mapping(user="who", label="answer", split="part"))
    path = write(people().assign(part="train"), tmp_path / "t.csv")
    mapping = Mapping(user="who", label="answer", split="part")
    assert "found none to test on: column 'part' says so" in refused(path, mapping)


def test_arrays_of_different_shapes(tmp_path):
    frame = people().assign(age=[[1.0, 2.0]] * 150 + [[1.0]] * 50)
    mapping = Mapping(user="who", label="answer", features=("age",))
    said = refused(write(frame, tmp_path / "t.parquet"), mapping)
    assert "found lengths 2 and 1, the latter in row 151" in said
    frame = people().assign(age=[[1.0, 2.0]] * 60 + [[1.0, None]] * 140)
    assert "found none in row 61" in refused(write(frame, tmp_path / "t.parquet"), mapping)
    (tmp_path / "t.parquet").unlink()
    np.savez(tmp_path / "t.npz", who=np.arange(5), answer=np.arange(6), x=np.zeros(5))
    assert "same length in t.npz, found who 5, answer 6, x 5" in refused(tmp_path / "t.npz")
    np.savez(tmp_path / "t.npz", who=np.arange(5), answer=np.arange(5), x=np.array([[1], [1, 2], 3, 4, 5], object))
    assert "holds Python objects" in refused(tmp_path / "t.npz")


def test_an_array_among_columns(tmp_path):
    path = write(people().assign(picture=[[1.0, 2.0]] * 200), tmp_path / "t.parquet")
    assert "found 'picture' among 3 columns" in refused(path)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"test_fraction": 0}, "test_fraction"),
        ({"test_fraction": 1}, "test_fraction"),
        ({"max_examples_per_user": 0}, "max_examples_per_user"),
        ({"scaling": "log"}, "scaling"),
        ({"scaling": "bounds"}, "bounds"),
        ({"bounds": (0, 1)}, "bounds"),
        ({"scaling": "bounds", "bounds": (1, 0)}, "bounds"),
        ({"features": ("who",)}, "features"),
    ],
)
def test_mappings_that_contradict_themselves(values, field):
    with pytest.raises(InvalidValueError) as error:
        Mapping(user="who", label="answer", **values)
    assert error.value.field == field


def test_bounds_of_other_columns(tmp_path):
    path = write(people(), tmp_path / "t.csv")
    mapping = Mapping(user="who", label="answer", scaling="bounds", bounds={"age": (0, 1)})
    assert "no bounds for income" in refused(path, mapping)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_numbers_of_rows_that_pandas_adds_are_no_features(tmp_path, suffix):
    frame = people()[::-1]
    if suffix == ".csv":
        frame.to_csv(tmp_path / "t.csv")
    else:
        frame.to_parquet(tmp_path / "t.parquet")
    assert convert(tmp_path / f"t{suffix}").description.feature_names == ("age", "income")


def test_warnings_do_not_forbid(tmp_path):
    frame = pd.concat([people(), pd.DataFrame({"who": ["x"], "age": 1.0, "income": 1.0, "answer": "never"})])
    said = " ".join(convert(write(frame, tmp_path / "t.csv")).description.warnings)
    assert "21 users are few" in said
    assert "Users with one example, which is for training or for testing: 1." in said
    assert "one user owns alone" in said
    assert "never" in said
    rare = people().assign(answer=["no"] * 190 + ["yes"] * 10, income=5.0)
    (tmp_path / "made").rename(tmp_path / "first")
    said = " ".join(convert(write(rare, tmp_path / "t.csv")).description.warnings)
    assert "of the training examples are of class no" in said
    assert "the same in every training example: income" in said


def test_the_manifest_says_all_that_the_page_and_the_statement_need(tmp_path):
    convert(write(people(), tmp_path / "t.csv"), name="people")
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert manifest["name"] == "people"
    assert manifest["description"]["class_names"] == ["maybe", "no", "yes"]
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "manifest.json",
        *(f"{split}_{kind}.npy" for split in ("train", "test") for kind in ("features", "labels", "offsets")),
    }


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".npz"])
def test_a_preview_shows_columns_and_first_rows(tmp_path, suffix):
    shown = table_files.preview(write(people(), tmp_path / f"t{suffix}"), rows=3)
    assert [(c.name, c.kind) for c in shown.columns] == [
        ("who", "text"), ("age", "number"), ("income", "number"), ("answer", "text"),
    ]  # fmt: skip
    assert shown.rows["who"] == people().who[:3].tolist()
    assert shown.rows["age"] == pytest.approx(people().age[:3].tolist())


def test_a_preview_says_arrays_in_words(tmp_path):
    np.savez(tmp_path / "t.npz", who=np.arange(60), picture=images())
    shown = table_files.preview(tmp_path / "t.npz")
    assert [c.kind for c in shown.columns] == ["number", "array"]
    assert shown.rows["picture"][0] == "uint8, 3 axes"


def test_a_million_values_in_bounded_time_and_order(tmp_path):
    """Many batches of each kind of file: rows keep their places."""
    count = 150_000
    who = np.random.default_rng(0).integers(0, 5000, count)
    frame = pd.DataFrame({"who": who, "answer": np.arange(count) % 4, "x": np.arange(count, dtype=np.float32)})
    for suffix in (".parquet", ".csv", ".npz"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        dataset = convert(write(frame, folder / f"t{suffix}"), Mapping(user="who", label="answer", scaling="none"))
        x = np.concatenate([dataset.train.features[:, 0], dataset.test.features[:, 0]]).astype(int)
        labels = np.concatenate([dataset.train.labels, dataset.test.labels])
        assert np.array_equal(np.sort(x), np.arange(count))
        assert np.array_equal(x % 4, labels)
        ids = sorted(map(str, np.unique(who)))
        owners = np.repeat(np.arange(len(ids)), np.diff(dataset.train.offsets))
        assert np.array_equal(np.array(ids)[owners], who[x[: len(owners)]].astype(str))


def of_one_example(people=400):
    return pd.DataFrame(
        {"who": [f"p{n}" for n in range(people)], "x": np.arange(people) / 4, "answer": ["a", "b"] * (people // 2)}
    )


def test_users_of_one_example_test_or_train_as_a_whole(tmp_path):
    mapping = Mapping(user="who", label="answer", test_users=0.2, scaling="none")
    dataset = convert(write(of_one_example(), tmp_path / "t.csv"), mapping)
    train, test = np.diff(dataset.train.offsets), np.diff(dataset.test.offsets)
    assert (train + test == 1).all()
    assert 50 < test.sum() < 110
    assert "all examples of 0.2 of the users for testing, by seed 0" in dataset.description.source
    (tmp_path / "made").rename(tmp_path / "first")
    several = pd.concat([of_one_example(40)] * 3)
    dataset = convert(write(several, tmp_path / "t.csv"), mapping)
    assert {*np.diff(dataset.test.offsets)} == {0, 3}
    assert (np.diff(dataset.train.offsets) + np.diff(dataset.test.offsets) == 3).all()


def test_who_is_held_out_depends_on_nobody_else(tmp_path):
    frame, held = of_one_example(), []
    for place, rows in enumerate((frame, frame[frame.index != 7][::-1])):
        (folder := tmp_path / str(place)).mkdir()
        mapping = Mapping(user="who", label="answer", test_users=0.2, scaling="none")
        held.append({*convert(write(rows, folder / "t.csv"), mapping).test.features[:, 0]} - {7 / 4})
    assert held[0] == held[1]


def test_shares_of_users_that_leave_nobody(tmp_path):
    path = write(of_one_example(4), tmp_path / "t.csv")
    said = refused(path, Mapping(user="who", label="answer", test_users=1e-9))
    assert "found none to test on: no user is drawn for that" in said
    assert "test_users" in refused(path)  # what would help
    for values in ({"test_users": 0.0}, {"test_users": 1.0}, {"test_users": 0.5, "split": "x"}):
        with pytest.raises(InvalidValueError) as error:
            Mapping(user="who", label="answer", **values)
        assert error.value.field == "test_users"


CELLS = "who{0}x{0}answer\n" + "".join(f"u{n}{{0}}{n % 3}.5{{0}}{'ab'[n % 2]}\n" for n in range(20))


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (CELLS.format(";"), ""),
        (CELLS.format("|").replace("\n", "\r\n"), ""),
        (CELLS.format("\t").replace("\n", "\r"), ""),
        ("\ufeff" + CELLS.format(","), ""),
        (CELLS.format(";").replace(".5", ",5"), "a comma before their decimals"),
        (CELLS.format(";").replace(".5", ",500"), "a comma before their decimals"),
        (CELLS.format("\t").replace(".5", ",5"), "a comma before their decimals"),
        (re.sub(r"(\d)\.5", r'"\1,5"', CELLS.format(",")), "a comma before their decimals"),
        (CELLS.format(",").replace("who", '"a;b;c;d"').replace(",x,", ", x ,"), ""),
    ],
)
def test_text_as_people_have_it(tmp_path, content, note):
    (tmp_path / "t.csv").write_bytes(content.encode())
    user = "a;b;c;d" if "a;b" in content else "who"
    dataset = convert(
        tmp_path / "t.csv", Mapping(user=user, label="answer", scaling="none", test_users=0.5, features=("x",))
    )
    assert sorted([*dataset.train.features[:, 0], *dataset.test.features[:, 0]]) == sorted(
        n % 3 + 0.5 for n in range(20)
    )
    said = " ".join(dataset.description.warnings)
    assert ("decimals" in said, note in said) == (bool(note), True)


def test_yes_and_no_are_numbers(tmp_path):
    frame = people().assign(age=[True, False] * 100, income=["TRUE", "false"] * 100)
    dataset = convert(write(frame, tmp_path / "t.csv"), Mapping(user="who", label="answer", scaling="none"))
    assert dataset.train.features.mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.1)
    assert {*dataset.train.features.ravel()} == {0.0, 1.0}
    frame = people().assign(answer=[True, False] * 100)
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    assert convert(write(frame, tmp_path / "t.csv")).class_names == ("False", "True")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("who,age,answer\nJosé,1,x\nb,2,y\n".encode("latin-1"), "line 2 is not UTF-8. Save it as UTF-8"),
        ("who,alter,Größe\na,1,x\n".encode("latin-1"), "line 1 is not UTF-8. Save it as UTF-8"),
        (CELLS.format(",").encode("utf-16-le"), "it seems to be UTF-16. Save it as UTF-8"),
        (b"\nwho,x,answer\n", "t.csv is empty, or its first line is"),
        (b"sep=;\r\nwho;x;answer\r\n", "begins with 'sep=;', which only a spreadsheet understands. Take that line out"),
        (b"# by me\nwho,x,answer\na,1,x\n", "begins with a comment: '# by me'. Take lines that begin with # out"),
        (b"who,x,answer\na,1,x\n# by me\nb,2,y\n", "in line 3 of t.csv, found 1: '# by me'. Take lines that begin"),
        (b"who,x,answer\na\t1\tx\n", "Has it tabs between its values, and commas between its names?"),
        (b"who,x,answer\na;1;x\n", "Has it semicolons between its values, and commas between its names?"),
        (b"who,x,answer\nMiller, A,1,x\n", "found 4: 'Miller, A,1,x'. Put values with commas in them into double quotes"),
        (b"who x answer\na 1 x\n", "found one: 'who x answer'"),
        (b"who,x, x,answer\na,1,2,x\n", "two columns called 'x'"),
        (b"who,x,answer\na,0.5,x\nb,True,y\n", "found 'True' in row 2"),
        (b"who,x,answer\na,True,x\nb,maybe,y\n", "found 'maybe' in row 2"),
        (b'who,x,answer\na,"1,234",x\nb,"5,678",y\n', "found '1,234' in row 1"),
        (b'who;x;answer\na;1,5;x\nb;2.5;y\n', "found '1,5' in row 1"),
        (b'who;x;z;answer\na;1,5;2.5;x\nb;2,5;2.5;y\n', "found '1,5' in row 1"),
    ],
)  # fmt: skip
def test_text_that_has_to_be_mended_first(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    assert message in refused(tmp_path / "t.csv", Mapping(user="who", label="answer"))


def test_names_with_blanks_are_said_as_they_are_typed(tmp_path):
    path = write(people().rename(columns={"income": "income in EUR"}), tmp_path / "t.csv")
    assert "There is 'income in EUR'." in refused(path, Mapping(user="who", label="answer", features=("income",)))
    assert "Expected user to name a column of the table, found none. There is who, age," in refused(
        path, Mapping(label="answer")
    )


def test_numbers_kept_as_text_are_told_as_that(tmp_path):
    path = write(people().assign(age="4.5"), tmp_path / "t.parquet")
    assert "found the text '4.5' in row 1. Give the column a type of numbers" in refused(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no picture at all", "found 17 bytes that are none in row 4: b'no pictu'"),
        (png(images(1)[0])[:-40], "Expected an image in column 'picture' of row 4"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "bytes that are none in row 4"),  # would run Ghostscript
        (png(np.zeros((20, 17), np.uint8)), "images of (20, 16) pixels in column 'picture', found (20, 17) in row 4"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_picture(tmp_path, content, message):
    cells = [png(image) for image in images(10)]
    cells[3] = content
    frame = pd.DataFrame({"who": np.arange(10) % 3, "answer": np.arange(10) % 2, "picture": cells})
    mapping = Mapping(user="who", label="answer", features=("picture",))
    assert message in refused(write(frame, tmp_path / "t.parquet"), mapping)


def test_pictures_that_are_elsewhere(tmp_path):
    cells = [{"bytes": None, "path": f"{n}.png"} for n in range(10)]
    frame = pd.DataFrame({"who": np.arange(10) % 3, "answer": np.arange(10) % 2, "picture": cells})
    said = refused(write(frame, tmp_path / "t.parquet"), Mapping(user="who", label="answer", features=("picture",)))
    assert "found names of files and no bytes from row 1 on" in said


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "RGBA", "1"])
def test_pictures_of_every_mode(tmp_path, kind):
    buffers = [io.BytesIO() for _ in range(12)]
    for buffer, image in zip(buffers, images(12), strict=True):
        Image.fromarray(image).convert(kind).save(buffer, "PNG")
    cells = [buffer.getvalue() for buffer in buffers]
    frame = pd.DataFrame({"who": np.arange(12) % 3, "answer": np.arange(12) % 2, "picture": cells})
    dataset = convert(
        write(frame, tmp_path / "t.parquet"), Mapping(user="who", label="answer", features=("picture",))
    )
    assert dataset.image_shape == ((20, 16) if kind in ("L", "1") else (20, 16, 3))


def test_a_series_is_no_image_and_says_so(tmp_path):
    series = np.random.default_rng(0).normal(size=(60, 100, 3))
    np.savez(tmp_path / "t.npz", who=np.arange(60) % 7, answer=np.arange(60) % 3, x=series)
    dataset = convert(tmp_path / "t.npz")
    assert dataset.image_shape is None
    assert any("Arrays of 100x3 are taken for rows of numbers" in said for said in dataset.description.warnings)
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    assert convert(tmp_path / "t.npz", Mapping(user="who", label="answer", image_shape=(100, 3))).image_shape == (
        100,
        3,
    )


@pytest.mark.parametrize(
    ("values", "kept", "scaling", "noted"),
    [
        (np.arange(240).reshape(60, 2, 2), np.uint8, "Bytes divided by 255", True),
        (np.arange(240).reshape(60, 2, 2) / 255, np.uint8, "in steps of 1/255", True),
        ((np.arange(240) % 2).reshape(60, 2, 2), np.uint8, "in steps of 1/255", True),
        ((np.arange(240) % 17).reshape(60, 2, 2), np.float32, "Standardised", True),
        (np.arange(240).reshape(60, 2, 2) + 20, np.float32, "Standardised", True),
        (np.arange(240).reshape(60, 2, 2) - 1, np.float32, "Standardised", True),
        (np.arange(240).reshape(60, 4), np.float32, "Standardised", True),
        (np.arange(240, dtype=np.uint8).reshape(60, 2, 2), np.uint8, "Bytes divided by 255", False),
    ],
)
def test_pixels_are_bytes_where_all_of_them_can_be(tmp_path, values, kept, scaling, noted):
    np.savez(tmp_path / "t.npz", who=np.arange(60) % 7, answer=np.arange(60) % 3, x=values)
    dataset = convert(tmp_path / "t.npz")
    assert dataset.train.features.dtype == kept
    assert scaling in dataset.description.scaling
    assert ("does not cover" in dataset.description.access_note) == noted
    if kept == np.uint8:
        rows = np.concatenate([dataset.train.features, dataset.test.features])
        expected = values.reshape(60, -1) * (1 if values.max() > 1 else 255)
        assert sorted(rows.tolist()) == sorted(np.rint(expected).astype(int).tolist())


def test_an_array_among_constants_is_counted(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 5))
    values[:, [1, 3]] = 7
    np.savez(tmp_path / "t.npz", who=np.arange(60) % 7, answer=np.arange(60) % 3, x=values)
    assert "Of the 5 numbers in column x, 2 are the same" in " ".join(
        convert(tmp_path / "t.npz").description.warnings
    )
    frame = people().assign(age=7)[["who", "age", "answer"]]
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    said = " ".join(convert(write(frame, tmp_path / "t.csv")).description.warnings)
    assert "the same in every training example: age." in said


def test_a_column_of_few_values_is_asked_about(tmp_path):
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"sex": draw.choice(["f", "m"], 2000), "x": draw.normal(size=2000), "answer": draw.integers(3, size=2000)}
    )
    said = convert(write(frame, tmp_path / "t.csv"), Mapping(user="sex", label="answer")).description.warnings
    assert "Column 'sex' has 2 values in 2,000 rows. Does it say whose a row is, and not of which group?" in said
    (tmp_path / "made").rename(tmp_path / "first")
    said = " ".join(convert(write(people(), tmp_path / "t.csv")).description.warnings)
    assert "which group" not in said


def test_many_batches_of_pixels_in_columns_are_moved_once_each(tmp_path, monkeypatch):
    monkeypatch.setattr("dpcore.datasets.importing.csv_table.BYTES", 1 << 12)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 3, 4, 5))
    columns = pd.DataFrame(pixels.reshape(300, -1)).rename(columns=str)
    frame = columns.assign(who=np.arange(300) % 7, answer=np.arange(300) % 2)
    mapping = Mapping(user="who", label="answer", image_shape=(3, 4, 5))
    dataset = convert(write(frame, tmp_path / "t.csv"), mapping)
    rows = np.concatenate([dataset.train.features, dataset.test.features]).tolist()
    assert sorted(rows) == sorted(pixels.transpose(0, 2, 3, 1).reshape(300, -1).tolist())
    assert dataset.description.feature_names[:4] == ("0", "20", "40", "1")


def test_users_who_only_test_are_no_part_of_the_population(tmp_path):
    frame = people(4000, users=400)
    frame["part"] = np.where(frame.who < "p100", "train", "test")
    dataset = convert(write(frame, tmp_path / "t.csv"), Mapping(user="who", label="answer", split="part"))
    assert (dataset.num_users, dataset.users_without_train) == (100, 300)
    assert len(dataset.test.offsets) == 401
    said = " ".join(dataset.description.warnings)
    assert "100 users are few" in said
    assert "Users without examples to train on: 300." in said


def test_a_user_of_one_example_trains(tmp_path):
    frame = pd.concat([people(), pd.DataFrame({"who": ["x"], "age": 1.0, "income": 1.0, "answer": "no"})])
    assert convert(write(frame, tmp_path / "t.csv")).users_without_train == 0


def owners(dataset):
    """The numbers of features by user, in order: who has which rows, whatever they are called."""
    return [
        sorted(
            value
            for split in (dataset.train, dataset.test)
            for value in split.features[split.rows(user), 0].tolist()
        )
        for user in range(dataset.num_users)
    ]


def spelt(ids, labels=("x", "y"), each=4):
    """Some rows of each id, numbered by `age`."""
    frame = pd.DataFrame({"who": np.repeat(np.array(ids, object), each)})
    return frame.assign(age=np.arange(float(len(frame))), answer=np.resize(np.array(labels, object), len(frame)))


PLAIN = Mapping(user="who", label="answer", scaling="none")
SUFFIXES = [".csv", ".parquet", ".npz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_person_is_one_user_however_blanks_and_accents_are_written(tmp_path, suffix):
    ids = ["u1", "u1 ", "\u00a0u1", "u1\u200b", "José", "Jose\u0301", "Jose"]
    labels = ["cat", "cat ", "\u3000cat", "dog"]
    dataset = convert(write(spelt(ids, labels), tmp_path / f"t{suffix}"), PLAIN)
    assert sorted(owners(dataset)) == [list(range(16)), list(range(16, 24)), list(range(24, 28))]
    assert dataset.class_names == ("cat", "dog")


@pytest.mark.parametrize("ids", [["7", "007", "b"], [7, 8, 2**53 + 1], ["a ", "b", "Ångström"]])
def test_the_same_people_are_the_same_data_set_in_every_form(tmp_path, ids):
    prints = set()
    for suffix in SUFFIXES:
        (tmp_path / suffix[1:]).mkdir()
        frame = spelt(ids, ["x", "y "], each=12).infer_objects()
        prints.add(convert(write(frame, tmp_path / suffix[1:] / f"t{suffix}"), PLAIN).fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("column", "option"), [("who", "missing_user"), ("answer", "missing_label")])
def test_a_missing_name_is_no_user_and_no_class(tmp_path, column, option, suffix):
    for word in ("NA", "nan", "NULL", "None", "<NA>", "n/a", "-", " "):
        frame = spelt(["a", "b", "c"])
        frame.loc[6, column] = word
        said = refused(write(frame, tmp_path / f"t{suffix}"))
        assert f"Expected a value in column '{column}' of every row, found" in said, word
        assert "in row 7" in said, word
        assert f"choose {option} drop" in said, word
        assert (word == " ") != (f"{option} keep, which takes it for a name" in said), word


def test_rows_without_a_name_are_left_out_where_that_is_asked(tmp_path):
    frame = spelt(["a", "b", "NA", None, "c"])
    frame.loc[0, "answer"] = "-"
    frame.loc[1, "answer"] = "only here"
    frame.loc[1, "who"] = ""
    path = write(frame, tmp_path / "t.csv")
    mapping = Mapping(user="who", label="answer", scaling="none", missing_user="drop", missing_label="drop")
    dataset = convert(path, mapping)
    assert owners(dataset) == [[2, 3], [4, 5, 6, 7], [16, 17, 18, 19]]
    assert dataset.class_names == ("x", "y")
    said = " ".join(dataset.description.warnings)
    assert "Rows without a user, which were left out: 9." in said
    assert "Rows without a label, which were left out: 1." in said


def test_nobody_is_left_who_has_no_row(tmp_path):
    """Who has none but rows without a label is no user: neither in the population nor beside it."""
    frame = spelt(["a", "b", "c"])
    frame.loc[8:, "answer"] = None
    dataset = convert(
        write(frame, tmp_path / "t.parquet"), Mapping(user="who", label="answer", missing_label="drop")
    )
    assert (dataset.num_users, dataset.users_without_train) == (2, 0)
    frame["answer"] = None
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    mapping = Mapping(user="who", label="answer", missing_label="drop")
    assert "Every row of t.parquet lacks a user or a label" in refused(
        write(frame, tmp_path / "t.parquet"), mapping
    )


def test_a_row_that_is_left_out_moves_no_other_in_what_is_said(tmp_path):
    """Blank lines of a spreadsheet: what they lack beside the user does not matter, and rows keep their numbers."""
    lines = ["who,age,answer,part", "a,1,x,train", ",,,", "a,2,y,test", ",,,", "b,3,x,train", "b,{},y,test"]
    mapping = Mapping(user="who", label="answer", split="part", scaling="none", missing_user="drop")
    (tmp_path / "t.csv").write_text("\n".join(lines).format("inf"))
    assert "found inf in row 6" in refused(tmp_path / "t.csv", mapping)
    (tmp_path / "t.csv").write_text("\n".join(lines).format("4"))
    assert owners(convert(tmp_path / "t.csv", mapping)) == [[1, 2], [3, 4]]


def test_somebody_who_is_called_none_can_be_kept(tmp_path):
    frame = spelt(["None", "Null", "a"], ["None", "-"])
    mapping = Mapping(user="who", label="answer", scaling="none", missing_user="keep", missing_label="keep")
    dataset = convert(write(frame, tmp_path / "t.csv"), mapping)
    assert (dataset.num_users, dataset.class_names) == (3, ("-", "None"))
    frame.loc[2, "who"] = " "
    (tmp_path / "made").rename(tmp_path.parent / f"{tmp_path.name}-first")
    assert "found none in row 3" in refused(write(frame, tmp_path / "t.csv"), mapping)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ids_that_may_be_one_person_are_named_and_joined_where_that_is_asked(tmp_path, suffix):
    frame = spelt(["u1", "U1", "1", "1.0", "01", "\uff11", "a"], ["cat", "Cat"])
    path = write(frame, tmp_path / f"t{suffix}")
    dataset = convert(path, PLAIN)
    assert (dataset.num_users, dataset.num_classes) == (7, 2)
    said = " ".join(dataset.description.warnings)
    assert "Users that may be the same people in other spellings: 6 (" in said
    assert "'U1' = 'u1'" in said
    assert "'01' = '1' = '1.0'" in said
    assert "import it again with join user" in said
    assert "Classes that may be the same in other spellings: 2 ('Cat' = 'cat')" in said
    (tmp_path / "made").rename(tmp_path / "first")
    joined = convert(path, Mapping(user="who", label="answer", scaling="none", join=("user",)))
    assert owners(joined) == [list(range(8, 24)), list(range(24, 28)), list(range(8))]
    assert joined.num_classes == 2
    said = " ".join(joined.description.warnings)
    assert "same people" not in said
    with pytest.raises(InvalidValueError, match="join"):
        Mapping(user="who", label="answer", join=("features",))


def test_large_and_odd_floats_are_one_user_in_all_batches(tmp_path, monkeypatch):
    """Beside a fraction, 1e16 was written in another way than alone, and -0 in another way than 0."""
    monkeypatch.setattr("dpcore.datasets.importing.tabular.ROWS", 2)
    frame = spelt([1e16, 0.0, 2.5, 3.0], each=6)
    frame["who"] = frame.who.astype(float)
    frame.loc[[7, 9], "who"] = -0.0
    frame = frame.sample(frac=1, random_state=1)
    dataset = convert(write(frame, tmp_path / "t.parquet"), PLAIN)
    assert owners(dataset) == [list(range(6, 12)), list(range(6)), list(range(12, 18)), list(range(18, 24))]
    assert any("several may have become one" in warning for warning in dataset.description.warnings)


def test_labels_that_are_large_numbers_or_not_all_numbers_are_in_one_order(tmp_path):
    """Whatever comes first in the file."""
    for labels, order in (
        (["1.0", "1", "01"], ("01", "1", "1.0")),
        (["nan", "10", "9"], ("10", "9", "nan")),
        (["inf", "10", "9"], ("10", "9", "inf")),
    ):
        for place, written in enumerate((labels, labels[::-1])):
            folder = tmp_path / f"{'-'.join(order)}-{place}"
            folder.mkdir()
            mapping = Mapping(user="who", label="answer", missing_label="keep")
            assert (
                convert(write(spelt(["a", "b"], written, each=9), folder / "t.csv"), mapping).class_names == order
            )


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_wide_rows_come_a_few_at_a_time(tmp_path, monkeypatch, suffix):
    """And so do pictures, whose size shows only when they are decoded."""
    monkeypatch.setattr("dpcore.datasets.importing.tabular.BYTES", 1 << 16)
    frame = pd.DataFrame({"who": np.arange(600) % 7, "answer": 1, "wide": [[float(n)] * 400 for n in range(600)]})
    frame["picture"] = [png(image) for image in images(600)]
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_feather(tmp_path / "t.feather")
    opened = table_files.open_table(tmp_path / f"t{suffix}")
    wide = [batch["wide"].to_pylist() for batch, _ in opened.batches(["who", "wide"])]
    assert max(map(len, wide)) <= (1 << 16) // 3200
    assert [row[0] for rows in wide for row in rows] == list(range(600))
    assert max(len(batch["picture"]) for batch, _ in opened.batches(["picture", "answer"])) <= 64


@pytest.mark.parametrize("given", [None, (3, 5, 4), (5, 4, 3)])
def test_colours_of_encoded_pictures_stay_where_they_are(tmp_path, given):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 5, 4, 3), np.uint8)
    frame = pd.DataFrame(
        {"who": np.arange(30) % 7, "answer": np.arange(30) % 2, "picture": [png(image) for image in pixels]}
    )
    mapping = Mapping(user="who", label="answer", features=("picture",), image_shape=given)
    dataset = convert(write(frame, tmp_path / "t.parquet"), mapping)
    assert dataset.image_shape == (5, 4, 3)
    flat = pixels.reshape(30, -1)
    np.testing.assert_array_equal(sorted_images(dataset), flat[np.lexsort(flat.T)])


@pytest.mark.parametrize("values", [{"split": "answer"}, {"test_users": 0.5}])
def test_who_tests_is_said_once(tmp_path, values):
    path = write(people(), tmp_path / "t.csv")
    with pytest.raises(InvalidValueError, match="Expected one of a second file, a split column and test_users"):
        table.convert(
            path,
            Mapping(
                **{"user": "who", "label": "answer"} | ({"label": "income"} if "split" in values else {}) | values
            ),
            tmp_path / "made",
            lambda what, fraction: None,
            name="t",
            test_path=path,
        )
