#!/bin/sh
# Streamlit 1.67.0, AppTest: the first `run()` of each reads the metadata of every installed package, several times.
#
# A server looks for components (of the second kind) once, at its start. Each `AppTest` builds a runtime of its own, and
# that looks again: so every test that opens a page parses all of METADATA, of all packages, and tests get slower with
# whatever else is installed, used by the app or not. In an environment of 126 packages it was a quarter of the time of our
# pages' tests, a second and a half for each on a busy machine.
#
# Seen: as the last lines of this file have it. What to do: in a fixture of the whole session, put a remembered answer in
# the place of `streamlit.components.v2.manifest_scanner.scan_component_manifests`.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "streamlit==1.67.0"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import functools
import importlib.metadata

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

installed = len(list(importlib.metadata.distributions()))
read, inherited = [], importlib.metadata.Distribution.metadata.fget


def counted(package):
    read.append(1)
    return inherited(package)


importlib.metadata.Distribution.metadata = property(counted)


def reads(step):
    read.clear()
    step()
    return len(read) / installed


def opened():
    return AppTest.from_string("import streamlit as st\nst.slider('s', 0, 9)\n").run()


page = opened()
print(f"a slider is moved: each package is read {reads(page.slider[0].set_value(5).run):.0f} times")
for name in ("another page", "and another"):
    print(f"{name} is opened: {'three times or more' if reads(opened) >= 3 else 'less'}")
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
opened()
print(f"with the answer remembered: {reads(opened):.0f} times")
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
a slider is moved: each package is read 0 times
another page is opened: three times or more
and another is opened: three times or more
with the answer remembered: 0 times
SEEN
