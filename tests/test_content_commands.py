"""`carepath content ...` as a person runs it."""

import json
from pathlib import Path

from click.testing import CliRunner

from app.cli import main
from app.content import page_yaml
from app.core.settings import Settings
from tests.page_documents import document
from tests.processes import environment_of, run

SLUG = "acute-lymphoblastic-leukemia"


def carepath(settings: Settings, folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command; returns its status and what it says."""
    done = run("content", *words, folder=folder, environment=environment_of(settings))
    return done.returncode, done.stdout, done.stderr


def test_pages_go_out_are_changed_and_come_back(settings: Settings, tmp_path: Path) -> None:
    assert carepath(settings, tmp_path, "export", "out") == (0, "1 written, 0 unchanged.\n", "")
    file = tmp_path / "out" / "conditions" / f"{SLUG}.yaml"
    file.write_text(file.read_text().replace("heading: Need Treatment?", "heading: Synthetic heading?"))
    (file.parent / "synthetic.es.yaml").write_text(page_yaml.write(document("synthetic", "es")))
    shown = f"""\
changed out/conditions/{SLUG}.yaml: consultation
--- consultation (revision 1)
+++ consultation (file)
@@ -1,3 +1,3 @@
 consultation:
-  heading: Need Treatment?
+  heading: Synthetic heading?
   text: Schedule a consultation to discuss treatment options for Acute Lymphoblastic Leukemia.
added out/conditions/synthetic.es.yaml
1 added, 1 changed, 0 unchanged.
"""
    told = carepath(settings, tmp_path, "import", "out", "--dry-run")
    assert told == (0, f"{shown}Nothing was published.\n", "")
    assert carepath(settings, tmp_path, "import", "out") == (0, shown, "")
    assert carepath(settings, tmp_path, "import", "out/conditions") == (0, "0 added, 0 changed, 2 unchanged.\n", "")
    assert carepath(settings, tmp_path, "export", "out") == (0, "0 written, 2 unchanged.\n", "")


def test_files_of_pages_that_are_gone_are_named_and_deleted_on_request(settings: Settings, tmp_path: Path) -> None:
    old = tmp_path / "out" / "conditions" / "synthetic.yaml"
    old.parent.mkdir(parents=True)
    old.write_text(page_yaml.write(document("synthetic")))
    status, told, _ = carepath(settings, tmp_path, "export", "out")
    assert (status, told.splitlines()[0]) == (
        0,
        "not published any more (--prune deletes it): out/conditions/synthetic.yaml",
    )
    assert old.exists()
    _, told, _ = carepath(settings, tmp_path, "export", "out", "--prune")
    assert told.splitlines()[0] == "deleted out/conditions/synthetic.yaml"
    assert [file.name for file in old.parent.iterdir()] == [f"{SLUG}.yaml"]


def test_a_bad_file_ends_with_its_faults_and_nothing_is_published(settings: Settings, tmp_path: Path) -> None:
    good = page_yaml.write(document("synthetic"))
    (tmp_path / "a.yaml").write_text(good)
    (tmp_path / "b.yaml").write_text(good.replace("causes:", "cause:").replace("slug: synthetic\n", "slug: b\n"))
    status, told, said = carepath(settings, tmp_path, "import", ".")
    assert (status, told) == (1, "")
    assert [line.split(": ")[-2] for line in said.splitlines()] == ["causes", "cause"]
    assert carepath(settings, tmp_path, "export", "out")[1] == "1 written, 0 unchanged.\n"
    (tmp_path / "none").mkdir()
    assert carepath(settings, tmp_path, "import", "none")[0] == 1
    assert carepath(settings, tmp_path, "import", "nowhere")[0] == 2


def test_the_schema_is_printed() -> None:
    shown = CliRunner().invoke(main, ["content", "schema"])
    assert (shown.exit_code, json.loads(shown.output)["title"]) == (0, "Condition page")
