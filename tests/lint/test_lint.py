#!/usr/bin/env python3
"""The lint's own tests: each rule sees its violation, and leaves a clean file alone."""

import pathlib
import tempfile
import unittest

import include_direction
import mutants
import source_rules
import traps


class IncludeDirection(unittest.TestCase):
    def faults(self, files):
        with tempfile.TemporaryDirectory() as folder:
            src = pathlib.Path(folder) / "src"
            for name, text in files.items():
                (src / name).parent.mkdir(parents=True, exist_ok=True)
                (src / name).write_text(text)
            return include_direction.check_tree(src)[1]

    def test_allowed_includes_are_left_alone(self):
        self.assertEqual([], self.faults({
            "base/result.h": "#pragma once\n",
            "sqs/api.h": '#include "base/result.h"\n#include <string>\n',
            "engine/queue.cpp": '#include "engine/queue.h"\n#include "sqs/api.h"\n',
            "engine/queue.h": "",
            "main.cpp": '#include "engine/queue.h"\n',
        }))

    def test_an_upward_include_is_seen(self):
        faults = self.faults({"engine/queue.cpp": '#include "http/server.h"\n', "http/server.h": ""})
        self.assertEqual(1, len(faults))
        self.assertIn("engine must not include http", faults[0])
        self.assertIn("src/engine/queue.cpp:1", faults[0])

    def test_base_includes_nobody(self):
        self.assertIn("base must not include sqs", self.faults({"base/a.cpp": '#include "sqs/api.h"\n', "sqs/api.h": ""})[0])

    def test_the_engine_sees_the_store_but_no_implementation_of_it(self):
        self.assertEqual([], self.faults({"engine/a.cpp": '#include "store/store.h"\n', "store/store.h": ""}))
        faults = self.faults({"engine/a.cpp": '#include "store/journal/journal.h"\n', "store/journal/journal.h": ""})
        self.assertIn("engine must not include store/journal", faults[0])

    def test_a_foreign_library_is_seen(self):
        self.assertIn("stays inside client", self.faults({"engine/a.cpp": "#include <curl/curl.h>\n"})[0])

    def test_a_relative_include_is_seen(self):
        self.assertIn("must be written from src/", self.faults({"sqs/a.cpp": '#include "a.h"\n', "sqs/a.h": ""})[0])

    def test_a_missing_file_and_an_unknown_module_are_seen(self):
        self.assertIn("is no file", self.faults({"sqs/a.cpp": '#include "sqs/gone.h"\n'})[0])
        self.assertIn("belongs to no module", self.faults({"attic/a.cpp": ""})[0])

    def test_public_headers_stand_alone(self):
        self.assertEqual([], self.faults({"../include/ferry/a.h": "#include <string>\n", "../include/ferry/b.h": '#include "ferry/a.h"\n',
                                          "cli/a.cpp": '#include "ferry/b.h"\n'}))
        for wrong in ('"base/result.h"', "<curl/curl.h>", "<unistd.h>", '"ferry/gone.h"'):
            faults = self.faults({"../include/ferry/a.h": f"#include {wrong}\n", "base/result.h": ""})
            self.assertEqual(1, len(faults), wrong)
            self.assertIn("include/ferry/a.h:1", faults[0])

    def test_the_table_has_no_cycle(self):
        def reach(name, seen):
            for other in include_direction.ALLOWED[name] or []:
                self.assertNotIn(other, seen, f"{name} reaches itself")
                reach(other, seen | {other})
        for name in include_direction.ALLOWED:
            reach(name, {name})


class SourceRules(unittest.TestCase):
    def assert_fault(self, path, text, part):
        faults = list(source_rules.faults_of(path, text))
        self.assertEqual(1, len(faults), faults)
        self.assertIn(part, faults[0])

    def test_a_clean_file_is_left_alone(self):
        text = "#pragma once\n// sleep() is not called here\nint random_value(Random& random);\nvoid sleep(Millis time);\nauto now = clock.now();\n"
        self.assertEqual([], list(source_rules.faults_of("src/engine/a.h", text)))

    def test_time_and_chance_outside_base(self):
        for text in ("auto t = std::chrono::system_clock::now();\n", "std::this_thread::sleep_for(1s);\n", "int r = rand();\n",
                     "  ::sleep(1);\n", "sleep(2);\n", "::sleep(seconds);\n", "std::random_device device;\n"):
            self.assert_fault("src/engine/a.cpp", text, "time and chance")
            self.assertEqual([], list(source_rules.faults_of("src/base/clock.cpp", text)))

    def test_line_length_at_the_limit_and_beyond(self):
        self.assertEqual([], list(source_rules.faults_of("src/a.cpp", "x" * 180 + "\n")))
        self.assert_fault("src/a.cpp", "x" * 181 + "\n", "181 columns")

    def test_file_length_at_the_limit_and_beyond(self):
        self.assertEqual([], list(source_rules.faults_of("src/a.cpp", "x\n" * 600)))
        self.assert_fault("src/a.cpp", "x\n" * 601, "601 lines")
        self.assertEqual([], list(source_rules.faults_of("src/a.cpp", "// It is one thing because of this.\n" + "x\n" * 700)))

    def test_words(self):
        self.assert_fault("docs/a.md", "TODO: later\n", "unfinished")
        self.assert_fault("docs/a.md", "see issue 12\n", "number elsewhere")
        self.assert_fault("docs/a.md", "cd /root/x\n", "one machine")

    def test_header_guard_and_last_newline(self):
        self.assert_fault("src/sqs/a.h", "int x;\n", "pragma once")
        self.assert_fault("src/sqs/a.cpp", "int x;", "newline")


class Mutants(unittest.TestCase):
    TABLE = '[[mutant]]\nname = "a"\nbreaks = "b"\n[[mutant.edit]]\nfile = "src/a.cpp"\nold = "sync();"\nnew = ""\n'

    def faults(self, source, table=TABLE):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"src/a.cpp": source, "tests/mutants/mutants.toml": table}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return mutants.faults_of(root)[1]

    def test_a_mutant_that_fits_is_left_alone(self):
        self.assertEqual([], self.faults("write();\nsync();\n"))

    def test_one_that_fits_nowhere_or_twice_is_seen(self):
        self.assertIn("occurs 0 times in src/a.cpp", self.faults("write();\n")[0])
        self.assertIn("occurs 2 times in src/a.cpp", self.faults("sync();\nsync();\n")[0])

    def test_faults_of_the_table_are_seen(self):
        self.assertIn("there is no src/b.cpp", self.faults("sync();\n", self.TABLE.replace("src/a.cpp", "src/b.cpp"))[0])
        self.assertIn("changes nothing", self.faults("sync();\n", self.TABLE.replace('new = ""', 'new = "sync();"'))[0])
        self.assertIn("two mutants", self.faults("sync();\n", self.TABLE * 2)[0])
        self.assertIn("file, old and new", self.faults("sync();\n", self.TABLE.replace('new = ""\n', ""))[0])
        self.assertIn("no mutant", self.faults("sync();\n", "")[0])


class Traps(unittest.TestCase):
    def faults(self, *rows):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"docs/traps.md": "\n".join(rows), "tests/unit/a_test.cpp": "TEST_F(Suite, Name) {}\n",
                               "tests/conformance/test_a.py": "def test_it():\n"}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return traps.check(root)[1]

    def test_rows_in_order_with_tests_that_are_there(self):
        self.assertEqual([], self.faults("| 1 | a | b | `Suite.Name` |", "| 2 | a | b | `test_a.py::test_it` |"))

    def test_a_missing_number_is_seen(self):
        self.assertIn("where 2 is expected", self.faults("| 1 | a | b | `Suite.Name` |", "| 3 | a | b | `Suite.Name` |")[0])

    def test_a_test_that_is_not_there_is_seen(self):
        self.assertIn("no test", self.faults("| 1 | a | b | `Suite.Other` |")[0])
        self.assertIn("no test", self.faults("| 1 | a | b | `test_a.py::test_other` |")[0])

    def test_a_row_without_a_test_is_seen(self):
        self.assertIn("needs", self.faults("| 1 | a | b | |")[0])


if __name__ == "__main__":
    unittest.main()
