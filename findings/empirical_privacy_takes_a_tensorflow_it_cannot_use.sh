#!/bin/sh
# tensorflow-empirical-privacy 0.1.0, where tensorflow-privacy's membership inference attacks went: installed by its own
# requirements on Python 3.11, nothing of it can be imported, and tensorflow-privacy neither.
#
# - It names no TensorFlow, and so gets a new one (2.20 here); tensorflow-privacy 0.9.0 brings tensorflow-estimator 2.15, which
#   imports a module that this TensorFlow has no more. Both read it as they are imported.
# - It has no package of its own: it puts `privacy_tests` into the folder of tensorflow-privacy, beside the old
#   `membership_inference_attack`, which is still there and imports from `privacy_tests`. So without it, the old name fails
#   as well.
#
# Seen: as the last lines of this file have it. What to do: install tensorflow-privacy with the TensorFlow that fits it, and the
# attacks over it with --no-deps; or read single modules as files, as an oracle in a test.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
cd "$folder"
"$folder/venv/bin/pip" -q install tensorflow_empirical_privacy==0.1.0 tensorflow_privacy==0.9.0 \
	tensorflow==2.20.0 tensorflow-estimator==2.15.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import importlib
from importlib.metadata import distribution

for name in ("tensorflow_empirical_privacy", "tensorflow_privacy", "tensorflow_privacy.privacy.privacy_tests"):
    try:
        importlib.import_module(name)
        print(name, "is imported")
    except ImportError as error:
        print(name, "|", str(error).split(" (")[0])
folders = {file.parts[0] for file in distribution("tensorflow_empirical_privacy").files if file.suffix == ".py"}
print("installs into:", *folders)
old = [file for file in distribution("tensorflow_privacy").files if "membership_inference_attack" in file.parts]
new = [file for file in distribution("tensorflow_privacy").files if "privacy_tests" in file.parts]
print("files of the old name:", len([file for file in old if file.suffix == ".py"]), "of the new:", len(new))
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
SEEN
